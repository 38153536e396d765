"""What compiles the functions of this folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from numba import extending
from numba.np import numpy_support

from seqcli.compilation import Compiler

_compiler = Compiler(sorted(Path(__file__).parent.glob("*.py")))
part, leaf, callback = _compiler.part, _compiler.leaf, _compiler.callback
formula, loop = _compiler.formula, _compiler.loop
carray: Any = numpy_support.carray


def intrinsic(function: Callable[..., Any]) -> Any:
    """Make what writes LLVM code a function for compiled ones to call."""
    return cast(Any, extending.intrinsic)(function)  # whose stub counts an argument too many
