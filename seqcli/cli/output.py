"""Where a command writes its lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from seqcli.text.lines import STDIN, write_atomically


@contextmanager
def writer_to(output: Path | None) -> Iterator[Callable[[str], object]]:
    """Give a function that writes a line to a file, to standard output for "-", nowhere for None.

    A file appears only when it is whole; a line of standard output is there at once.
    """
    if output is None:
        yield lambda line: None
    elif str(output) == STDIN:
        yield typer.echo
    else:
        with write_atomically(output) as stream:
            yield lambda line: stream.write(f"{line}\n")
