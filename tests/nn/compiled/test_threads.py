"""Shares of work, each done once, in the threads of torch or in one."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numba.np.numpy_support import carray

from seqcli.nn.compiled import threads
from seqcli.nn.compiled.threads import LEAST_SHARE, ThreadedCall, layout_of, next_share, vector

COUNT = layout_of("addend", "counts")


def count_shares(pointer: Any) -> None:
    arguments = carray(pointer, 1, COUNT)[0]
    counts = vector(arguments.counts, arguments.shares + 1, np.int64)
    counts[arguments.shares] += 100 * arguments.shares
    share = next_share(pointer)
    while share < arguments.shares:
        counts[share] += arguments.addend
        share = next_share(pointer)


@pytest.fixture(params=[1, 2, 3])
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("is_alone", [False, True])
def test_each_share_is_taken_once(
    num_threads: int, is_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where torch's threads are not to be had."""
    if is_alone:
        monkeypatch.setattr(threads, "_team", lambda: None)
    counts = torch.zeros(num_threads + 1, dtype=torch.int64)
    call = ThreadedCall(count_shares, COUNT, {"addend": 1, "counts": counts})
    for times in range(1, 200):
        call(LEAST_SHARE * num_threads)
        assert counts[:-1].tolist() == [times] * num_threads


def test_little_work_is_one_share(num_threads: int) -> None:
    counts = torch.zeros(num_threads + 1, dtype=torch.int64)
    ThreadedCall(count_shares, COUNT, {"counts": counts})(LEAST_SHARE - 1, 5)
    assert counts.tolist() == ([5, 100] + [0] * num_threads)[: num_threads + 1]


def test_the_threads_are_those_of_torch() -> None:
    """Two pools would wait for each other's cores."""
    if not sys.platform.startswith("linux") or not torch.backends.openmp.is_available():
        pytest.skip("torch has no OpenMP here, or by another name")
    assert threads._team() is not None


def test_work_that_nobody_took_is_no_result() -> None:
    """As when a function found no memory: what it raises does not come through C."""
    call = ThreadedCall(take_nothing, COUNT, {})
    with pytest.raises(MemoryError):
        call(1)


def take_nothing(pointer: Any) -> None: ...
