"""Text without what harms a training: rows dropped and lines mended by stated rules."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from seqcli.text.checks import ALLOWED_CHARACTERS, is_empty
from seqcli.text.length_ratios import LengthRatios
from seqcli.text.mending import MENDINGS, mend
from seqcli.text.repetitions import REPEATED, HeldOut, Repetitions
from seqcli.text.unchecked import UncheckedLine, UncheckedRow, whole_rows

KEPT = 0


@dataclass
class Cleaning:
    """What becomes of each row of a text, decided when all of it has been seen.

    A row is dropped by the first rule that it breaks: an empty side, the same row in a set of
    `held_out`, the same row before, a ratio of lengths beyond `max_length_ratio`. The usual ratio
    is that of the rows that stay, so that cleaning again changes nothing.
    """

    files: Sequence[str]  # the name of each side
    held_out: Mapping[str, HeldOut]
    max_length_ratio: float
    mended: Counter[str] = field(default_factory=Counter)  # lines of `cleaned`, by rule

    def __post_init__(self) -> None:
        self.rules = ["kept", "empty", *(f"in_{name}" for name in self.held_out)]
        self.rules += ["duplicates", "length_ratio"]
        self._fates = bytearray()  # the place of a rule, for each row

    def decide(self, rows: Iterator[UncheckedRow]) -> None:
        """Read all rows. DataError if one is not UTF-8, or a side has more lines than the other."""
        repetitions, ratios = Repetitions(), LengthRatios(ALLOWED_CHARACTERS)
        for lines in whole_rows(rows, self.files):
            row = tuple(mend(line.text) for line in lines)
            fate = self._fate(row)
            self._fates.append(fate)
            if fate == KEPT:
                repetitions.add(row)
                ratios.add(len(row[0]), len(row[-1]))
            else:
                repetitions.skip()
                ratios.skip()
        duplicate, beyond_ratio = self.rules.index("duplicates"), self.rules.index("length_ratio")
        for place, verdict in enumerate(repetitions.verdicts()):
            if verdict == REPEATED:
                self._fates[place] = duplicate
                ratios.steps[place] = 0
        limits = ratios.limits(self.max_length_ratio)
        for place, step in enumerate(ratios.steps):
            if limits.excludes(step):
                self._fates[place] = beyond_ratio

    def cleaned(self, rows: Iterator[UncheckedRow]) -> Iterator[tuple[str, ...]]:
        """The same rows again: those that are kept, mended, which is counted."""
        for fate, lines in zip(self._fates, whole_rows(rows, self.files), strict=True):
            if fate == KEPT:
                yield tuple(map(self._mended, lines))

    @property
    def read(self) -> int:
        return len(self._fates)

    @property
    def kept(self) -> int:
        return self._fates.count(KEPT)

    @property
    def dropped(self) -> dict[str, int]:
        """How many rows by each rule."""
        return {rule: self._fates.count(place) for place, rule in enumerate(self.rules) if place}

    def _fate(self, row: tuple[str, ...]) -> int:
        if any(map(is_empty, row)):
            return self.rules.index("empty")
        for name, held_out in self.held_out.items():
            if held_out.meet(row):
                return self.rules.index(f"in_{name}")
        return KEPT

    def _mended(self, line: UncheckedLine) -> str:
        """The line without its faults; what each rule has changed is counted."""
        self.mended["carriage_returns"] += line.end == "\r\n"
        text = line.text
        for rule, mending in MENDINGS.items():
            before, text = text, mending(text)
            self.mended[rule] += text != before
        return text
