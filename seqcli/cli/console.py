"""What is said on standard error: errors, logs, and what is going on just now."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqcli.errors import SeqcliError

if TYPE_CHECKING:
    from rich.console import Console

QUIET, NORMAL, VERBOSE = logging.WARNING, logging.INFO, logging.DEBUG
RED, YELLOW = "1;31", "1;33"


def console() -> "Console":
    """A rich console on standard error: plain in a pipe, without colour under NO_COLOR."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def is_terminal() -> bool:
    """Whether a person watches standard error, so that a live display makes sense."""
    return sys.stderr is not None and sys.stderr.isatty()


def say(text: str) -> None:
    """Write `text` as a line of standard error; a closed standard error is no fault."""
    if sys.stderr is not None:
        print(text, file=sys.stderr)


def show_error(error: SeqcliError) -> None:
    """Show what is wrong, why it matters and how to mend it, each as a line."""
    say(f"{_colored('error:', RED)} {error.what}")
    if error.why:
        say(f"  why: {error.why}")
    if error.fix:
        say(f"  fix: {error.fix}")


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show `text` on a terminal for as long as the body runs; say nothing elsewhere."""
    if is_terminal():
        from rich.text import Text

        with console().status(Text(text)):  # as it is: a path may hold what rich takes for markup
            yield
    else:
        yield


def configure_logging(level: int) -> None:
    """Send what seqcli logs at `level` (QUIET, NORMAL, VERBOSE) or above to standard error."""
    logger = logging.getLogger("seqcli")
    logger.handlers = [_LineHandler()]
    logger.setLevel(level)


class _LineHandler(logging.Handler):
    """A record as one plain line on whatever is standard error at that moment.

    Looking it up each time keeps the lines above a live display, which takes its place.
    """

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            color = RED if record.levelno >= logging.ERROR else YELLOW
            text = f"{_colored(record.levelname.lower() + ':', color)} {text}"
        say(text)


def _colored(text: str, color: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal()
    return text if plain else f"\x1b[{color}m{text}\x1b[0m"
