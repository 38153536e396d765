"""Options that several commands share, each worded once."""

from typing import Annotated, Literal

import typer

from seqcli.cli.console import QUIET, VERBOSE, configure_logging


def _be_quiet(asked: bool) -> bool:
    if asked:
        configure_logging(QUIET)
    return asked


def _be_verbose(asked: bool) -> bool:
    if asked:
        configure_logging(VERBOSE)
    return asked


Device = Literal["auto", "cpu", "cuda"]

# The two set the level of the log themselves; a command reads them only for its own display.
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_be_quiet, help="Say nothing but warnings and errors."),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_be_verbose, help="Say more of what is done.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=1024, help="Processor threads to use.", show_default="all cores"
    ),
]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where to compute; auto takes a GPU that works.")
]
