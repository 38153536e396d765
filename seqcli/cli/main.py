"""The door: every command hangs here, and every way to fail becomes an exit status."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import Annotated, TextIO

import typer

from seqcli.cli.align import align
from seqcli.cli.check import check
from seqcli.cli.classify import classify
from seqcli.cli.compare import compare
from seqcli.cli.console import NORMAL, configure_logging, say, show_error
from seqcli.cli.curves import curves
from seqcli.cli.eval import eval_
from seqcli.cli.file_pairs import CommandWithFilePairs
from seqcli.cli.generate import generate
from seqcli.cli.inspect import app as inspect_app
from seqcli.cli.models import models
from seqcli.cli.score import score
from seqcli.cli.tag import tag
from seqcli.cli.tokenize import app as tokenize_app
from seqcli.cli.train import train
from seqcli.cli.translate import translate
from seqcli.errors import OutputError, SeqcliError, UsageError
from seqcli.text.lines import FIX_OF_TOO_LARGE
from seqcli.training.memory import is_out_of_memory

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="seqcli",
    no_args_is_help=True,
    rich_markup_mode=None,  # help as plain text, in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", cls=CommandWithFilePairs)(train)
app.command("translate")(translate)
app.command("classify")(classify)
app.command("tag")(tag)
app.command("eval")(eval_)
app.command("compare")(compare)
app.add_typer(tokenize_app, name="tokenize")
app.add_typer(inspect_app, name="inspect")
app.command("generate")(generate)
app.command("score")(score)
app.command("align")(align)
app.command("check")(check)
app.command("curves")(curves)
app.command("models")(models)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"seqcli {version('seqcli')}")
        raise typer.Exit


@app.callback()
def _seqcli(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    """Train, compare and ship small sequence models."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 for done, 1 for failed, 2 for wrong use, 130 for interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return status_of(lambda: _dispatch(arguments))


def status_of(action: Callable[[], int]) -> int:
    """Call `action` and return its exit status, or that of the fault that ended it.

    A fault of the user, of the disk or of the machine's memory is shown here, once.
    Any other exception is a fault of ours and passes, with its traceback.
    """
    configure_logging(NORMAL)
    stdout, stderr = sys.stdout, sys.stderr
    try:
        try:
            return action()
        finally:
            sys.stdout, sys.stderr = stdout, stderr  # typer may have wrapped them
            if stdout is not None:
                stdout.flush()  # a full disk or a reader gone may show only now
    except SeqcliError as error:
        show_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader has all it wants, as in `| head`
        _discard_unwritten(stdout, stderr)
        return DONE
    except OSError as error:
        fault = _file_fault(error)
        if fault is None:
            raise
        _discard_unwritten(stdout)
        show_error(fault)
        return FAILED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        show_error(_out_of_memory())
        return FAILED


def run() -> None:
    """Run the command of `sys.argv` and leave the process with its status."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on Ctrl-C has nothing to tidy up
    sys.exit(status)


def _dispatch(arguments: list[str]) -> int:
    """Let typer parse and call; give back what it would have left the process with."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=arguments, prog_name="seqcli", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        if type(error).__name__ != "NoArgsIsHelpError":
            what = error.format_message().replace("Value error, ", "")  # pydantic's own words
            raise UsageError(what, fix=_help_hint(error)) from None
        say(error.format_message())  # nothing was asked for: the help is the answer
        return WRONG_USE
    except SystemExit as leaving:  # typer and rich turn a reader's leave into a status of 1
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        raise
    if status == INTERRUPTED:  # typer has turned the exception into a status
        raise KeyboardInterrupt
    return status if isinstance(status, int) else DONE


def _help_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path if context else 'seqcli'} --help`"


def _discard_unwritten(*streams: TextIO | None) -> None:
    """Let what a stream still holds go nowhere, or the interpreter would fail on it at its end."""
    for stream in streams:
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _file_fault(error: OSError) -> SeqcliError | None:
    """A full disk, or a path that the system refuses (too long, not permitted); None: ours."""
    place = f" for {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"no space left on the disk{place}",
            why="what was written before is not complete",
            fix="Free some space or write to another disk",
        )
    if error.errno == errno.EFBIG:
        return OutputError(
            f"no file may be so large{place}",
            why="what was written before is not complete",
            fix=FIX_OF_TOO_LARGE,
        )
    if error.filename is None:
        return None
    return SeqcliError(
        f"cannot use {error.filename}: {error.strerror}",
        fix="Check the name, and that you may read and write there",
    )


def _out_of_memory() -> SeqcliError:
    return SeqcliError(
        "out of memory",
        why="a batch, a line or the model is too large for this machine",
        fix="Use a smaller batch or a smaller model, or split very long lines",
    )
