"""What a check finds: how often, and in which lines first."""

from collections.abc import Iterable
from dataclasses import dataclass

MOST_LINES_NAMED = 5


class Tally:
    """How many lines a rule has found, and the numbers of the first."""

    __slots__ = ("count", "first")

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.count = 0
        self.first: list[int] = []
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.first) < MOST_LINES_NAMED:
            self.first.append(number)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule has found in one file, or in the pairs of two."""

    rule: str  # its name for programs
    text: str  # what is found, in words
    file: str | None  # None: the lines of all files side by side
    count: int
    total: int  # of which `count` is a part
    lines: tuple[int, ...]  # the numbers of the first, from 1
    is_serious: bool = False  # so that nothing can be learned from the text as it is

    @classmethod
    def of(
        cls,
        rule: str,
        text: str,
        tally: Tally,
        total: int,
        *,
        file: str | None = None,
        is_serious: bool = False,
    ) -> "Finding":
        return cls(rule, text, file, tally.count, total, tuple(tally.first), is_serious)

    @property
    def share(self) -> float:
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        """One line: what, where, how often, and in which lines first."""
        share = f"{self.share:.1%}" if not 0 < self.share < 0.001 else "under 0.1%"
        place = f"{self.file}: " if self.file else ""
        text = f"{place}{self.text}: {self.count:,} of {self.total:,} ({share})"
        if not self.lines:
            return text
        lines = ", ".join(map(str, self.lines)) + (", ..." if self._names_not_all else "")
        return f"{text}, line{'s' if len(self.lines) > 1 else ''} {lines}"

    @property
    def _names_not_all(self) -> bool:
        return len(self.lines) == MOST_LINES_NAMED and self.count > MOST_LINES_NAMED
