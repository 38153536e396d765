"""What compiles the functions of this folder, and the names of what they are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numba import extending
from numba.np import numpy_support

from seqcli.compilation import Compiler
from seqcli.nn import lstm_steps

Row = np.ndarray[Any, Any]  # of a matrix
Generated = tuple[Any, Callable[..., Any]]  # a signature, and what writes the code for it

compiler = Compiler([*sorted(Path(__file__).parent.glob("*.py")), Path(lstm_steps.__file__)])
formula, loop = compiler.formula, compiler.loop
inner, callback = compiler.inner, compiler.callback
carray: Any = numpy_support.carray


def intrinsic(function: Callable[..., Any]) -> Any:
    """Make what writes LLVM code a function for compiled ones to call."""
    return cast(Any, extending.intrinsic)(function)  # whose stub counts an argument too many
