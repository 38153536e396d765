"""What `import seqcli` gives: the public names, and nothing heavy until one is asked for."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import seqcli


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_import_is_instant_and_loads_no_package_from_outside() -> None:
    program = (
        "import sys; before = set(sys.modules); import seqcli; seqcli.__version__; "
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(loaded - sys.stdlib_module_names))"
    )
    assert run(program) == "['seqcli']"


def test_what_scores_and_tokenizes_is_there_without_torch() -> None:
    program = (
        "import sys; from seqcli import SeqcliError, Translation, evaluate_files, score_lines, "
        "TokenizerConfig, train_tokenizer; print('torch' in sys.modules)"
    )
    assert run(program) == "False"


@pytest.mark.parametrize("name", seqcli.__all__)
def test_each_public_name_is_there_and_is_documented(name: str) -> None:
    value = getattr(seqcli, name)
    assert name == "__version__" or (value.__name__ == name and value.__doc__)


def test_a_star_imports_all_public_names() -> None:
    names: dict[str, object] = {}
    exec("from seqcli import *", names)
    assert set(seqcli.__all__) == names.keys() - {"__builtins__"}
    assert dir(seqcli) == seqcli.__all__


def test_every_name_that_is_looked_up_is_public() -> None:
    found = {name for names in seqcli._MODULES.values() for name in names}
    assert found | {"__version__"} == set(seqcli.__all__)


def test_the_version_is_that_of_the_package() -> None:
    assert seqcli.__version__ == version("seqcli")


def test_other_names_are_none_and_rooms_are_imported_as_ever() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        seqcli.trian  # noqa: B018 - to read it is the test
    with pytest.raises(ImportError):
        exec("from seqcli import trian")
    from seqcli import errors

    assert errors.SeqcliError is seqcli.SeqcliError
