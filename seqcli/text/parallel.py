"""Aligned files: line N of one belongs to line N of each other."""

from pathlib import Path

from seqcli.errors import DataError
from seqcli.text.lines import name_of, read_lines


def read_parallel(*paths: str | Path) -> tuple[list[str], ...]:
    """All lines of each file, be it only one. DataError if one has none or their numbers differ."""
    texts = tuple(list(read_lines(path)) for path in paths)
    for path, lines in zip(paths, texts, strict=True):
        if not lines:
            raise DataError(
                f"{name_of(path)} is empty",
                why="there is nothing to read in it",
                fix="Check that it is the right file",
            )
        if len(lines) != len(texts[0]):
            raise DataError(
                f"{name_of(paths[0])} has {len(texts[0])} lines but {name_of(path)} has "
                f"{len(lines)}",
                why="line N of one must belong to line N of the other",
                fix="Remove the extra lines or align the files again",
            )
    return texts
