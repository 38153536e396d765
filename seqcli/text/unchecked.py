"""Lines as they are, whatever is wrong with them, for those who look for what is wrong."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from seqcli.text.lines import decode_line, name_of, read_raw_lines
from seqcli.text.parallel import check_counts, is_table, split_row


class UncheckedLine(NamedTuple):
    """A line without its end."""

    text: str  # what is not UTF-8 in it stands there as lone surrogates
    end: str  # "\\n", "\\r\\n", or nothing where the line goes on, or the file ends
    is_utf8: bool = True


UncheckedRow = tuple[UncheckedLine | None, ...]  # None on a side that has ended already


def read_unchecked(files: Sequence[str | Path]) -> Iterator[UncheckedRow]:
    """Yield the lines of the files side by side, or both sides of a table.

    DataError for a file that cannot be read at all, and for a row of a table without one tab.
    """
    if len(files) == 1 and is_table(files[0]):
        return _read_table(files[0])
    return zip_longest(*map(_read, files))


def _read(path: str | Path) -> Iterator[UncheckedLine]:
    for raw in read_raw_lines(path):
        body = raw.removesuffix(b"\n")
        end = "\n" if len(body) < len(raw) else ""
        if end and body.endswith(b"\r"):
            end = "\r\n"
        body = body.removesuffix(b"\r")
        try:
            yield UncheckedLine(body.decode(), end)
        except UnicodeDecodeError:
            yield UncheckedLine(body.decode(errors="surrogateescape"), end, is_utf8=False)


def _read_table(path: str | Path) -> Iterator[UncheckedRow]:
    for number, line in enumerate(_read(path), start=1):
        source, target = (
            UncheckedLine(text, line.end, is_utf8=line.is_utf8 or _is_utf8(text))
            for text in split_row(line.text, name_of(path), number)
        )
        yield source._replace(end=""), target


def _is_utf8(text: str) -> bool:
    """Whether a decoded text holds no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_rows(
    rows: Iterator[UncheckedRow], names: Sequence[str]
) -> Iterator[tuple[UncheckedLine, ...]]:
    """Yield the rows, all of which can be used.

    DataError for a line that is not UTF-8, and for sides that have no lines or not equally many.
    """
    counts = [0] * len(names)
    for row in rows:
        counts = [count + (line is not None) for count, line in zip(counts, row, strict=True)]
        lines = [line for line in row if line is not None]
        if len(lines) == len(row) and min(counts) == max(counts):
            for line, name in zip(lines, names, strict=True):
                if not line.is_utf8:
                    decode_line(line.text.encode(errors="surrogateescape"), name, counts[0])
            yield tuple(lines)
    check_counts(names, counts)
