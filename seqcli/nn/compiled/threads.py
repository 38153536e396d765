"""Compiled functions in the threads of torch.

torch's products and these functions follow each other thousands of times a second. Each of two
pools of threads would wait on the cores that the other is to work on: so these are torch's own.
"""

import ctypes
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from torch import Tensor

from seqcli.nn.compiled.compiler import Generated, callback, carray, inner, intrinsic

LIBRARY = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"  # as it is called on Linux
START_TEAM = "GOMP_parallel"  # of GNU's OpenMP, which those of LLVM and Intel have as well
LEAST_SHARE = 16_384  # numbers: a thread takes longer to wake up than to compute fewer
SHARES = ("taken", "shares")  # the first arguments of each function: how many, and of how many


@intrinsic
def next_share(context: object, taken: Any) -> Generated:
    """Return a number that no other thread gets, one after the other from 0."""

    def generate(_: object, builder: Any, signature: Any, given: Any) -> Any:
        word = ir.IntType(64)
        count = builder.bitcast(given[0], word.as_pointer())
        return builder.atomic_rmw("add", count, ir.Constant(word, 1), "monotonic")

    return types.int64(types.voidptr), generate


@intrinsic
def _pointer(context: object, address: Any) -> Generated:
    """Return an address as a pointer."""

    def generate(_: object, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate


@inner
def vector(address: int, columns: int, stored: Any) -> Any:
    """Return the array that stands at an address, of numbers of that type."""
    return carray(_pointer(address), columns, stored)


@inner
def matrix(address: int, count: int, columns: int, stored: Any) -> Any:
    """Return the array of rows that stands at an address."""
    return carray(_pointer(address), (count, columns), stored)


def layout_of(*names: str) -> np.dtype[Any]:
    """Return the layout of arguments by these names: numbers, and addresses of tensors or 0."""
    return np.dtype([(name, np.int64) for name in (*SHARES, *names)])


class ThreadedCall:
    """A function with its arguments, to be called again and again with the first ones changed.

    The function takes shares of the work, one after the other, until none is left. A share is the
    same work whichever thread takes it. A thread that finds no share is there all the same: a team
    that grows or shrinks would have its threads made anew.
    """

    def __init__(
        self,
        function: Callable[[Any], None],
        layout: np.dtype[Any],
        arguments: Mapping[str, int | Tensor | None],
    ) -> None:
        self._function = _compiled(function)
        self._alive = [value for value in arguments.values() if isinstance(value, Tensor)]
        self._words = np.zeros(len(layout.names or ()), np.int64)
        self._address = self._words.ctypes.data
        for name, value in arguments.items():
            self._words.view(layout)[name] = _number_or_address(value)
        self._num_threads = torch.get_num_threads()

    def __call__(self, numbers: int, *first: int) -> None:
        """Call it for work on so many numbers, with these first arguments.

        Raises MemoryError if it found no memory to work in.
        """
        shares = max(1, min(self._num_threads, numbers // LEAST_SHARE))
        self._words[: len(SHARES) + len(first)] = (0, shares, *first)
        team = _team()
        if team is None or shares == 1:
            self._function.ctypes(self._address)
        else:
            team(self._function.address, self._address, self._num_threads, 0)
        if self._words[0] < shares:  # an exception does not get out of a function that C calls
            raise MemoryError("compiled code found no memory")


def _number_or_address(value: int | Tensor | None) -> int:
    if isinstance(value, Tensor):
        assert value.is_contiguous()
        return value.data_ptr()
    return value or 0


def wide(values: Tensor) -> Tensor:
    """Return the same numbers as functions read them that are given all but the rows in float32."""
    return values.to(torch.float32).contiguous()


@functools.cache
def _compiled(function: Callable[[Any], None]) -> Any:
    return callback(function)


Team = Callable[[int, int, int, int], None]  # of a function, its argument, threads, and no flags


@functools.cache
def _team() -> Team | None:
    """What runs a function in the threads of torch: in as many as are wanted, the caller's too.

    None elsewhere than on Linux, and where torch has other threads than OpenMP's.
    """
    try:
        torch_library = ctypes.CDLL(str(LIBRARY))
        start = getattr(torch_library, START_TEAM)  # found in what that is linked to
    except (OSError, AttributeError):
        return None
    start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    start.restype = None
    team: Team = start
    return team
