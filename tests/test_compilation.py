"""Compiled code is kept on disk, and never stays when the code it was made of has changed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from numba.core import event

import seqcli
from seqcli.compilation import OLD, Compiler, _CompilationTeller, code_folder

SCRIPT = "from seqcli.smt.asks import ask; print(ask(1), sum(ask.stats.cache_hits.values()))"
ASKS = """from seqcli.smt.answers import answer
from seqcli.smt.kernel import kernel

@kernel
def ask(value: int) -> int:
    return answer(value)
"""
ANSWERS = """from seqcli.smt.kernel import leaf

@leaf
def answer(value: int) -> int:
    return value + {number}
"""


def run(package: Path, **variables: str) -> str:
    """What the script prints, by the sources in this folder."""
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=package,  # which comes before all other places of modules
        env={**environment, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.stdout.strip()


def test_code_is_kept_until_a_function_that_it_calls_changes(tmp_path: Path) -> None:
    for name in [
        "__init__.py",
        "compilation.py",
        "smt/__init__.py",
        "smt/kernel.py",
        "tokenizers/vocabulary.py",
    ]:
        target = tmp_path / "seqcli" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(seqcli.__file__).parent / name, target)
    folder = tmp_path / "seqcli" / "smt"
    (tmp_path / "seqcli" / "tokenizers" / "__init__.py").touch()
    (folder / "asks.py").write_text(ASKS)
    (folder / "answers.py").write_text(ANSWERS.format(number=1))
    assert [run(tmp_path), run(tmp_path)] == ["2 0", "2 1"]
    (folder / "answers.py").write_text(ANSWERS.format(number=20))
    assert run(tmp_path) == "21 0"
    shutil.rmtree(folder / "__pycache__")
    (folder / "__pycache__").touch()  # a file, so that there can be no folder
    assert run(tmp_path, XDG_CACHE_HOME=os.devnull) == "21 0"


def test_it_is_said_once_that_functions_are_compiled(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller = _CompilationTeller()
    monkeypatch.setattr("seqcli.compilation.code_folder", lambda *_: None)
    kernel = Compiler([Path(__file__)]).kernel
    with caplog.at_level("INFO", logger="seqcli"), event.install_listener("numba:compile", teller):
        for value in (1, 1.0, 1j):
            kernel(lambda value: value + 1)(value)
    own = [record for record in caplog.records if "compiling" in record.message]
    assert 1 <= len(own) <= 2  # one of this teller, one of the module's if it had not spoken


def test_each_state_of_the_sources_has_a_folder_of_its_own(tmp_path: Path) -> None:
    sources = [tmp_path / "a.py", tmp_path / "b.py"]
    for path in sources:
        path.write_text("x")
    first = code_folder("code", sources, [tmp_path])
    assert (
        first
        == code_folder("code", sources, [tmp_path])
        != code_folder("code", sources[:1], [tmp_path])
    )
    sources[1].write_text("y")
    assert first != code_folder("code", sources, [tmp_path])
    assert first is not None
    assert first.is_dir()
    os.utime(first, (0, time.time() - OLD - 1))
    code_folder("code", sources, [tmp_path])
    assert not first.exists()


@pytest.mark.parametrize("bases", [[], ["file"]])
def test_where_nothing_can_be_written_no_code_is_kept(bases: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert code_folder("code", [], [tmp_path / base for base in bases]) is None
    folder = code_folder("code", [], [*(tmp_path / base for base in bases), tmp_path / "other"])
    assert folder is not None
    assert folder.parent == tmp_path / "other"
