"""Options that the commands of `seqcli inspect` share, each worded once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seqcli.cli.inspect.output import FORMATS
from seqcli.errors import UsageError

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Its folder, or the name of a shipped one.")
]
TextOption = Annotated[str | None, typer.Option(help="A sentence to look at.", show_default=False)]
TargetOption = Annotated[
    str | None,
    typer.Option(help="Its translation, which the decoder reads.", show_default="the model's own"),
]
SOURCE = typer.Option(metavar="FILE", help="A file of sentences, one a line; - for stdin.")
REFERENCE = typer.Option(metavar="FILE", help="Their translations, aligned by line.")
Part = Literal["encoder", "decoder"]
PART = "The part of the network to look at."
FormatOption = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--format", help="For people or for programs.", show_default="by the file, else text"
    ),
]


def output_option(forms: Iterable[str]) -> Any:
    """The option that names the file to write, of a kind that one of these endings names."""
    text = f"A file of the kind that its ending names: {', '.join(forms)}."
    return typer.Option("--output", "-o", metavar="FILE", help=text)


OutputOption = Annotated[Path, output_option(FORMATS)]


def require_sentence_or_file(text: str | None, source: str | None) -> None:
    """Raise UsageError unless there is either a sentence or a file to look at."""
    if (text is None) == (source is None):
        raise UsageError(
            f"there is {'neither' if text is None else 'both'} a sentence "
            f"{'nor' if text is None else 'and'} a file",
            why="one sentence is shown token by token, a file is summed up or aligned",
            fix='Give either --text "a sentence" or --source FILE',
        )
