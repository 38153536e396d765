"""Scores by the length of a line: those of all lines together hide how the long ones fare."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from seqcli.errors import ConfigError
from seqcli.evaluation.base import Metric, Score


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """The lines of `shortest` to `longest` words, both included, scored together."""

    shortest: int
    longest: int | None  # None in the last bucket, which has no end
    line_count: int
    scores: tuple[Score, ...]  # one for each metric, but none where there are no lines


def require_length_bounds(bounds: Sequence[int]) -> None:
    """Raise ConfigError unless each bound is positive and greater than the one before it."""
    if any(high <= low for low, high in pairwise([0, *bounds])):
        raise ConfigError(
            f"the bounds of length {','.join(map(str, bounds))} are not positive and increasing",
            why="each is the most words that a line of its bucket may have",
            fix="Give positive numbers in order, each once, as in 10,20,30",
        )


def score_by_length(
    judges: Sequence[Metric],
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    measured: Sequence[str],
    bounds: Sequence[int],
) -> tuple[LengthBucket, ...]:
    """Score lines in buckets by the number of words, between white space, of lines of `measured`.

    A bucket ends at each of `bounds`, and one more holds what is longer than the last of them.
    Raises ConfigError as `require_length_bounds` does; all lists must be of one length.
    """
    require_length_bounds(bounds)
    buckets: list[list[int]] = [[] for _ in range(len(bounds) + 1)]
    for number, line in enumerate(measured):
        buckets[bisect_left(bounds, len(line.split()))].append(number)
    starts, ends = [0, *(bound + 1 for bound in bounds)], [*bounds, None]
    return tuple(
        LengthBucket(start, end, len(numbers), _score(judges, hypotheses, references, numbers))
        for start, end, numbers in zip(starts, ends, buckets, strict=True)
    )


def _score(
    judges: Sequence[Metric],
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    numbers: Sequence[int],
) -> tuple[Score, ...]:
    """The scores of the lines of these numbers alone."""
    if not numbers:
        return ()
    chosen, *chosen_references = [
        [lines[number] for number in numbers] for lines in [hypotheses, *references]
    ]
    return tuple(judge.compute(chosen, chosen_references) for judge in judges)
