"""What compiles the functions of the statistical systems."""

from pathlib import Path

from seqcli.compilation import Compiler, inlined
from seqcli.tokenizers import vocabulary

__all__ = ["inlined", "kernel", "leaf", "open_leaf", "part"]

_compiler = Compiler([*sorted(Path(__file__).parent.glob("*.py")), Path(vocabulary.__file__)])
kernel, part = _compiler.kernel, _compiler.part
leaf, open_leaf = _compiler.leaf, _compiler.open_leaf
