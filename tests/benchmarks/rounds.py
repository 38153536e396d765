"""Measuring in turns: each competitor in a process of its own, one round after the other.

Times drift with the machine, ratios of neighbouring rounds hardly do. Processes of their own keep
the memory of one apart from that of the other, and its allocator's settings too.
"""

import os
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import torch


@dataclass(frozen=True)
class Settings:
    """What the command line asks for."""

    threads: int
    model: str
    quick: bool  # a few small rounds, to see that all runs: the figures mean nothing


@dataclass(frozen=True)
class Round:
    """What one competitor did in one round."""

    amount: float  # tokens or sentences
    seconds: float
    output: tuple[str, ...] = ()
    note: str = ""
    peak_megabytes: float = 0.0
    parts: Mapping[str, float] = field(
        default_factory=dict
    )  # seconds of each, where they are known

    @property
    def speed(self) -> float:
        return self.amount / self.seconds


@dataclass(frozen=True)
class Result:
    """A row of the table."""

    what: str
    plain: str
    ours: str
    ratio: str = ""
    goal: str = ""
    is_met: bool | None = None  # None where there is no goal


def finished(
    amount: float,
    seconds: float,
    *,
    output: tuple[str, ...] = (),
    note: str = "",
    parts: Mapping[str, float] | None = None,
) -> Round:
    """Return the round that a competitor's process has just finished, with its peak of memory."""
    return Round(amount, seconds, output, note, _peak_megabytes(), parts or {})


def _peak_megabytes() -> float:
    """Return the peak of resident memory of this process, in units of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage counts the parent from before the exec as well
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


@contextmanager
def processes(count: int, threads: int) -> Iterator[list[ProcessPoolExecutor]]:
    """Give `count` processes that live as long as the block, with torch on `threads` threads."""
    pools = [
        ProcessPoolExecutor(
            1,
            mp_context=get_context("spawn"),
            initializer=torch.set_num_threads,
            initargs=(threads,),
        )
        for _ in range(count)
    ]
    try:
        yield pools
    finally:
        for pool in pools:
            pool.shutdown()


def interleave(competitors: Mapping[str, Callable[[int], Round]], rounds: int) -> list[list[Round]]:
    """Let the competitors take turns, `rounds` times; return the rounds of each.

    Each is called with the number of the round. Round 0 warms up and does not count.
    """
    done: list[list[Round]] = [[] for _ in competitors]
    for number in range(rounds + 1):
        for (name, measure), rounds_so_far in zip(competitors.items(), done, strict=True):
            outcome = measure(number)
            kind = f"round {number}" if number else "warm-up"
            print(f"  {name}, {kind}: {outcome.speed:,.1f}/s, {outcome.seconds:.2f} s", flush=True)
            if number:
                rounds_so_far.append(outcome)
    return done


def compare_speed(
    what: str,
    plain: list[Round],
    ours: list[Round],
    *,
    goal: float | None = None,
    show: Callable[[float], str],
) -> Result:
    """Compare median speeds; the ratio is the median of the ratios of each round, with its range.

    `show` writes a speed as the table should have it.
    """
    ratios = [our.speed / their.speed for their, our in zip(plain, ours, strict=True)]
    ratio = statistics.median(ratios)
    their_speed, our_speed = (
        statistics.median(done.speed for done in rounds) for rounds in (plain, ours)
    )
    return Result(
        what,
        show(their_speed),
        show(our_speed),
        f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        "" if goal is None else f">= {goal:g}",
        None if goal is None else ratio >= goal,
    )


def compare_memory(
    what: str, plain: list[Round], ours: list[Round], *, most: float | None = None
) -> Result:
    """Compare the peaks of resident memory; a ratio below 1 is in our favour.

    Ours should have at `most` so many MB.
    """
    their_peak, our_peak = (max(done.peak_megabytes for done in rounds) for rounds in (plain, ours))
    return Result(
        f"{what}: peak MB, less is better",
        f"{their_peak:,.0f}",
        f"{our_peak:,.0f}",
        f"{our_peak / their_peak:.2f}",
        "" if most is None else f"<= {most:,.0f}",
        None if most is None else our_peak <= most,
    )


def all_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
