"""Two aligned files: line N of one translates line N of the other."""

from pathlib import Path

from seqcli.errors import DataError
from seqcli.text.lines import read_lines


def read_parallel(source: Path, target: Path) -> tuple[list[str], list[str]]:
    """All lines of both files. DataError if one has none or their numbers differ."""
    sources, targets = list(read_lines(source)), list(read_lines(target))
    for path, lines in ((source, sources), (target, targets)):
        if not lines:
            raise DataError(
                f"{path} is empty",
                why="there is nothing to align",
                fix="Check that it is the right file",
            )
    if len(sources) != len(targets):
        raise DataError(
            f"{source} has {len(sources)} lines but {target} has {len(targets)}",
            why="line N of one must translate line N of the other",
            fix="Remove the extra lines or align the files again",
        )
    return sources, targets
