"""What does not go together on a command line, refused in one wording."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqcli.errors import UsageError
from seqcli.text.lines import STDIN


def refuse_beside(other: str, options: Mapping[str, object], *, why: str) -> None:
    """Raise UsageError for the first of `options` that was given: none goes with `other`.

    An option that was not given has the value None or False.
    """
    for name, value in options.items():
        if value is not None and value is not False:
            raise UsageError(
                f"{name} does not go with {other}", why=why, fix=f"Leave out {name}, or {other}"
            )


def require_one_reader_of_stdin(files: Mapping[str, Sequence[str | Path | None]]) -> None:
    """Raise UsageError if more than one of the files that the options name is "-"."""
    if sum(str(file) == STDIN for named in files.values() for file in named) > 1:
        *others, last = files
        raise UsageError(
            "standard input can be read only once",
            why=f'more than one of {", ".join(others)} and {last} is "-"',
            fix="Put all but one of them in files",
        )


def refuse_several_in_text(num_best: int, output_format: str) -> None:
    """Raise UsageError for several answers to a line where each line has room for one."""
    if num_best > 1 and output_format == "text":
        raise UsageError(
            f"--nbest {num_best} does not fit --format text",
            why="text has one line out for each line in",
            fix="Use --format tsv or jsonl",
        )
