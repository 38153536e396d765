"""Code on disk is of what the sources are now."""

import ast
from pathlib import Path

import seqcli
from seqcli.nn.compiled.compiler import compiler
from tests.test_house import imported_modules

ROOT = Path(seqcli.__file__).parent.parent


def test_all_that_code_is_made_of_belongs_to_its_sources() -> None:
    """Else code would be run that was made of an earlier state of it."""
    names = {
        module.rpartition(".")[0]
        for path in (ROOT / "seqcli" / "nn" / "compiled").glob("*.py")
        for module, _ in imported_modules(ast.parse(path.read_text()), path.relative_to(ROOT))
        if module.startswith("seqcli.")
    }
    files = {ROOT / f"{name.replace('.', '/')}.py" for name in names} - {ROOT / "seqcli/nn.py"}
    assert len(files) > 3
    assert files <= set(compiler.sources)
