"""Pairs of which one side is suspiciously long for the other."""

import math
from collections import Counter
from itertools import accumulate
from typing import NamedTuple

MAX_LENGTH_RATIO = 3.0  # times the usual ratio, or its inverse
STEPS = 16  # to a doubling of the ratio; each of them is held as one byte
MIDDLE = 128  # stands for sides of one length, 0 for none


class Limits(NamedTuple):
    """The steps between which pairs are not odd, and the usual one."""

    first: float
    last: float
    usual: int

    @property
    def usual_ratio(self) -> float:
        return float(2 ** ((self.usual - MIDDLE) / STEPS))

    def excludes(self, step: int) -> bool:
        """Whether a pair of this step is odd."""
        return step != 0 and not self.first <= step <= self.last


class LengthRatios:
    """The ratio of the lengths of each pair, to 2 percent. Holds a byte a pair.

    `allowance` is added to both lengths, so that of short lines a few more or less mean little.
    """

    def __init__(self, allowance: int) -> None:
        self.steps = bytearray()
        self._allowance = allowance

    def add(self, source: int, target: int) -> None:
        """Take the lengths of the next pair."""
        ratio = (source + self._allowance) / (target + self._allowance)
        step = MIDDLE + round(STEPS * math.log2(ratio))
        self.steps.append(min(max(step, 1), 255))

    def skip(self) -> None:
        """Let the next pair have no ratio."""
        self.steps.append(0)

    def limits(self, most: float) -> Limits:
        """Which pairs are not odd: those up to `most` times the usual ratio, or its inverse.

        The odd ones change what is usual, so this is said again of the others until all are
        within: if the odd ones are gone, none of the others is odd.
        """
        counts = Counter(self.steps)
        del counts[0]
        reach = STEPS * math.log2(most)
        limits = Limits(-math.inf, math.inf, MIDDLE)
        while counts:
            usual = _median(counts)
            limits = Limits(
                max(limits.first, usual - reach), min(limits.last, usual + reach), usual
            )
            inside = Counter({step: n for step, n in counts.items() if not limits.excludes(step)})
            if len(inside) == len(counts):
                break
            counts = inside
        return limits


def _median(counts: Counter[int]) -> int:
    """The lower median of the steps that are counted."""
    half = (counts.total() + 1) // 2
    steps = sorted(counts)
    up_to = accumulate(counts[step] for step in steps)
    return next(step for step, count in zip(steps, up_to, strict=True) if count >= half)
