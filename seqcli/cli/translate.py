"""`seqcli translate`: translate a file or what comes in, a line for each line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption


def translate(
    model: Annotated[str, typer.Argument(help="A model's folder, or the name of a shipped one.")],
    source: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="The text; - is standard input.")
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file, written whole at the end.", show_default="-"),
    ] = None,
    beam: Annotated[
        int | None, typer.Option("--beam", min=1, help="Beam width.", show_default="the model's")
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the best token each time.")
    ] = False,
    length_penalty: Annotated[
        float | None,
        typer.Option(min=0, help="Larger: longer output.", show_default="the model's"),
    ] = None,
    num_best: Annotated[int, typer.Option("--nbest", min=1, help="Hypotheses a line.")] = 1,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Sentences at a time.", show_default="the model's"),
    ] = None,
    output_format: Annotated[
        Literal["text", "tsv", "jsonl"],
        typer.Option("--format", help="text; tsv and jsonl with scores."),
    ] = "text",
    attention: Annotated[
        bool, typer.Option("--attention", help="With jsonl: tokens and attention weights.")
    ] = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Translate each line of FILE, in order; empty lines stay empty."""
