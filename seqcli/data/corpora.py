"""The files of a text: one or several corpora, each in a file for each side or in a table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from seqcli.errors import UsageError
from seqcli.text.lines import name_of
from seqcli.text.parallel import is_table, read_rows, read_table


class Corpus(NamedTuple):
    """The files of one corpus."""

    files: tuple[str, ...]  # one for each side, or a table of both
    num_sides: int

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines that belong together; one of white space alone is empty.

        Raises DataError for what cannot be read.
        """
        is_in_table = len(self.files) < self.num_sides
        for row in read_table(self.files[0]) if is_in_table else read_rows(*self.files):
            yield tuple([line if line.strip() else "" for line in row])

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


def require_sides(
    files: Mapping[str, tuple[str, ...]], num_sides: int, *, text_alone: Collection[str]
) -> None:
    """Raise UsageError for pairs where text alone is learned from, and the other way round.

    `files` has those of each text by its name in a recipe; those named in `text_alone` were given
    as text, all others may be pairs.
    """
    for name, named in files.items():
        has_pairs = any(map(is_table, named)) or (len(named) > 1 and name not in text_alone)
        if num_sides == 1 and has_pairs:
            raise UsageError(
                f"{' and '.join(named)}: a language model has no pairs to learn from",
                why="it would take both sides for text of one kind",
                fix=f"Give --{name}-text FILE, as often as there are files",
            )
        if num_sides > 1 and name in text_alone:
            raise UsageError(
                f"--{name}-text {named[0]}: only a language model learns from text alone",
                why="other architectures learn from lines and what belongs to each of them",
                fix=f"Give --{name} SOURCE TARGET, or --arch language-model",
            )
