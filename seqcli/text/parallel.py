"""Aligned text: line N of one file belongs to line N of the other, or a tab stands between them."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from seqcli.errors import DataError
from seqcli.text.lines import name_of, read_lines
from seqcli.text.wording import beside

TSV_ENDINGS = (".tsv", ".tsv.gz")


def read_parallel(*paths: str | Path) -> tuple[list[str], ...]:
    """All lines of each file, be it only one. DataError if one has none or their numbers differ."""
    return columns(read_rows(*paths), len(paths))


def read_rows(*paths: str | Path) -> Iterator[tuple[str, ...]]:
    """Yield the lines of the files side by side, and hold no others. Errors as `read_parallel`."""
    counts = [0] * len(paths)
    number = 0
    rows = zip_longest(*map(read_lines, paths))
    for number, row in enumerate(rows, start=1):
        if None in row:  # from here on lines are only counted
            counts = [number - (line is None) for line in row]
            break
        yield row
    else:
        counts = [number] * len(paths)
    for row in rows:
        counts = [count + (line is not None) for count, line in zip(counts, row, strict=True)]
    check_counts(paths, counts)


def is_table(path: str | Path) -> bool:
    """Whether a file is one of tab-separated lines, by its name."""
    return str(path).endswith(TSV_ENDINGS)


def read_table(path: str | Path) -> Iterator[tuple[str, ...]]:
    """Yield the two texts of each line of a tab-separated file.

    DataError names the line that has not exactly one tab, and says so if there is no line.
    """
    number = 0
    for number, line in enumerate(read_lines(path), start=1):
        yield split_row(line, name_of(path), number)
    check_counts((path,), (number,))


def split_row(line: str, name: str, number: int) -> tuple[str, str]:
    """Split a line of a table. DataError names the line if it has not exactly one tab."""
    row = line.split("\t")
    if len(row) != 2:
        raise DataError(
            f"{name}, line {number}: there are {len(row) - 1} tabs, not one"
            if len(row) > 1
            else f"{name}, line {number}: there is no tab",
            why="each line of a file in .tsv is SOURCE TAB TARGET",
            fix="Correct the line, or give another ending to a file of plain text",
        )
    return row[0], row[1]


def columns(rows: Iterator[tuple[str, ...]], width: int) -> tuple[list[str], ...]:
    """Put the lines of each side together."""
    sides: tuple[list[str], ...] = tuple([] for _ in range(width))
    for row in rows:
        for side, line in zip(sides, row, strict=True):
            side.append(line)
    return sides


def check_counts(paths: Sequence[str | Path], counts: Sequence[int]) -> None:
    """Raise DataError if a file has no lines, or not as many as the first."""
    for path, count in zip(paths, counts, strict=True):
        if not count:
            raise DataError(
                f"{name_of(path)} is empty",
                why="there is nothing to read in it",
                fix="Check that it is the right file",
            )
        if count != counts[0]:
            raise DataError(
                f"{name_of(paths[0])} has {counts[0]} {beside(counts[0], 'lines')} but "
                f"{name_of(path)} has {count}",
                why="line N of one must belong to line N of the other",
                fix="Remove the extra lines or align the files again",
            )
