"""Where a command writes its lines."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import typer

from seqcli.text.lines import STDIN, require_writable, write_atomically


def writer_to(output: Path | None) -> AbstractContextManager[Callable[[str], object]]:
    """Give a function that writes a line to a file, to standard output for "-", nowhere for None.

    A file appears only when it is whole; a line of standard output is there at once. Call it before
    the work begins, enter it when there are lines: where a file cannot be written, the call fails.
    """
    if output is None:
        return nullcontext(lambda line: None)
    if str(output) == STDIN:
        return nullcontext(typer.echo)
    require_writable(output)
    return _writer_to_file(output)


@contextmanager
def _writer_to_file(path: Path) -> Iterator[Callable[[str], object]]:
    with write_atomically(path) as stream:
        yield lambda line: stream.write(f"{line}\n")
