"""Lines that are there more than once, in one text or in two, known again by their hashes."""

from array import array
from collections.abc import Iterable

from seqcli.text.findings import Tally

LINES_AT_ONCE = 500_000  # whose hashes are looked up in memory; a few dozen bytes each

NEW, REPEATED, OTHER_TARGET = range(3)


class Repetitions:
    """Which rows say the same as one before them. Holds 12 bytes a row."""

    def __init__(self) -> None:
        self._sources = array("q")
        self._targets = array("I")  # shorter: it tells apart only rows of the same source

    def add(self, row: tuple[str, ...]) -> None:
        """Take the next row, of one line or two."""
        self._sources.append(hash(row[0]) or 1)
        self._targets.append(hash(row[1:]) & 0xFFFFFFFF)

    def skip(self) -> None:
        """Let the next row be none, neither repeated nor repeating."""
        self._sources.append(0)
        self._targets.append(0)

    def verdicts(self) -> bytearray:
        """NEW, REPEATED, or OTHER_TARGET (the source is known, the row is new) for each row."""
        verdicts = bytearray(len(self._sources))
        parts = len(self._sources) // LINES_AT_ONCE + 1
        for part in range(parts):
            self._judge(part, parts, verdicts)
        return verdicts

    def _judge(self, part: int, parts: int, verdicts: bytearray) -> None:
        """Fill in the verdicts of the rows whose source is of one part, so that few are held."""
        first_targets: dict[int, int] = {}
        others: set[tuple[int, int]] = set()
        for place, (source, target) in enumerate(zip(self._sources, self._targets, strict=True)):
            if source % parts != part or not source:
                continue
            if source not in first_targets:
                first_targets[source] = target
            elif first_targets[source] == target or (source, target) in others:
                verdicts[place] = REPEATED
            else:
                verdicts[place] = OTHER_TARGET
                others.add((source, target))


class HeldOut:
    """A validation or test set, and which of its rows have been met in the training text."""

    def __init__(self, rows: Iterable[tuple[str, ...]]) -> None:
        self._pairs = array("q")
        self._sources = array("q")
        for row in rows:
            is_whole = all(map(str.strip, row))
            self._pairs.append(hash(row) if is_whole else 0)
            self._sources.append(hash(row[0]) if is_whole else 0)
        self._missed_pairs = set(self._pairs) - {0}
        self._missed_sources = set(self._sources) - {0}
        self._met_pairs: set[int] = set()
        self._met_sources: set[int] = set()

    def __len__(self) -> int:
        return len(self._pairs)

    def meet(self, row: tuple[str, ...]) -> bool:
        """Take note of a row of the training text; whether the very same is held out."""
        _meet(hash(row[0]), self._missed_sources, self._met_sources)
        return _meet(hash(row), self._missed_pairs, self._met_pairs)

    def met_pairs(self) -> Tally:
        """The rows of this set that are in the training text."""
        return _tally(self._pairs, self._met_pairs)

    def met_sources(self) -> Tally:
        """Those whose source is there, with whatever target."""
        return _tally(self._sources, self._met_sources)


def _meet(key: int, missed: set[int], met: set[int]) -> bool:
    if key in missed:
        missed.remove(key)
        met.add(key)
        return True
    return key in met


def _tally(keys: Iterable[int], met: set[int]) -> Tally:
    return Tally(number for number, key in enumerate(keys, start=1) if key in met)
