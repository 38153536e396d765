"""The files of a text: one or several corpora, each in a file for each side or in a table."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seqcli.text.lines import name_of
from seqcli.text.parallel import is_table, read_rows, read_table


class Corpus(NamedTuple):
    """The files of one corpus."""

    files: tuple[str, ...]  # one for each side, or a table of both
    num_sides: int

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines that belong together. Raises DataError for what cannot be read."""
        if len(self.files) < self.num_sides:
            return read_table(self.files[0])
        return read_rows(*self.files)

    @property
    def side_names(self) -> tuple[str, ...]:
        """The name of the file that each side is in."""
        return self.files * (self.num_sides // len(self.files))

    def place(self, row: int) -> str:
        """Where a row comes from, as in "train.de, line 17"."""
        return f"{name_of(self.files[0])}, line {row + 1}"


def corpora_of(names: Sequence[str], num_sides: int) -> list[Corpus] | None:
    """Group the names of files; one that ends in .tsv has two sides. None if one is left over."""
    corpora: list[Corpus] = []
    place = 0
    while place < len(names):
        size = 1 if num_sides == 2 and is_table(names[place]) else num_sides
        corpora.append(Corpus(tuple(names[place : place + size]), num_sides))
        place += size
    return corpora if place == len(names) else None
