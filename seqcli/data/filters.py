"""Which examples are left out of a training, and how many by each rule."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcli.data.rows import Integers, smallest_type
from seqcli.errors import DataError
from seqcli.text.wording import beside

SKIP, CUT = "skip", "cut"  # what is done with what is too long


@dataclass(frozen=True, slots=True)
class Filters:
    """The rules, as the section `data` of a recipe has them. An empty side is never learned from.

    `max_length_ratio` is how many times as many tokens as the other a side may have.
    """

    max_length: int
    too_long: str = SKIP
    max_length_ratio: float | None = None
    drop_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Usable:
    """What the rules let pass."""

    places: Integers
    left_out: dict[str, int]  # how many by each rule, in words
    num_cut: int
    max_length: int

    @property
    def num_left_out(self) -> int:
        return sum(self.left_out.values())

    def losses(self, noun: str) -> str:
        """Say how many examples were left out, and why; nothing where none was."""
        return ", ".join(self._reasons(noun)) if self.num_left_out else ""

    def cuts(self, noun: str) -> str:
        """Say how many examples are used only in part; nothing where none is."""
        if not self.num_cut:
            return ""
        cut, most = self.num_cut, self.max_length
        return f"{cut} {beside(cut, noun)} to {most} {beside(most, 'tokens')} (data.too_long)"

    def require_any(self, noun: str) -> None:
        """Raise DataError if nothing is left, with the reasons."""
        if not len(self.places):
            raise DataError(
                f"none of the {self.num_left_out} {beside(self.num_left_out, noun)} can be used: "
                + ", ".join(self._reasons(noun)),
                why="a model cannot be trained on nothing",
                fix="Check the files, or change the settings named in brackets",
            )

    def _reasons(self, noun: str) -> list[str]:
        (empty, *others), (first, *counts) = self.left_out, self.left_out.values()
        return [
            f"{first} {beside(first, noun)} {empty}",
            *(f"{count} {reason}" for reason, count in zip(others, counts, strict=True)),
        ]


def apply_filters(
    filters: Filters,
    source_lengths: Integers,
    target_lengths: Integers,
    *,
    repeated: Callable[[], NDArray[np.bool_]],
) -> Usable:
    """Let the rules take what they take of the examples, one rule after another.

    `repeated()` tells which examples stand there for a second time.
    """
    shorter = np.minimum(source_lengths, target_lengths)
    longer = np.maximum(source_lengths, target_lengths)
    is_long = longer > filters.max_length
    rules = {"with an empty side": shorter == 0}
    if filters.too_long == SKIP:
        most = f"{filters.max_length} {beside(filters.max_length, 'tokens')}"
        rules[f"with more than {most} (data.max_length)"] = is_long
    if (ratio := filters.max_length_ratio) is not None:
        rules[f"beyond a length ratio of {ratio:g} (data.max_length_ratio)"] = (
            longer > ratio * shorter
        )
    if filters.drop_duplicates:
        rules["that repeat another (data.drop_duplicates)"] = repeated()
    left_out = {}
    places: Integers = np.arange(len(shorter), dtype=smallest_type(len(shorter)))
    for reason, is_taken in rules.items():
        taken = is_taken[places]
        left_out[reason] = int(np.count_nonzero(taken))
        places = places[~taken]
    num_cut = int(np.count_nonzero(is_long[places]))
    return Usable(places, left_out, num_cut, filters.max_length)
