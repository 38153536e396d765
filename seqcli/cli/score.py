"""`seqcli score`: how probable lines are to a language model, a line out for each line in."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqcli.cli.console import say
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.cli.translate import ModelArgument, OutputOption, SourceArgument
from seqcli.text.lines import STDIN
from seqcli.text.wording import beside

if TYPE_CHECKING:
    from seqcli.text.line_scores import LineScore, TextScore

FormatOption = Annotated[
    Literal["text", "tsv", "jsonl"],
    typer.Option("--format", help="text; tsv has tokens and perplexity too, jsonl each token."),
]


def score(
    model: ModelArgument,
    source: SourceArgument = STDIN,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = "text",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write the log-probability of each line of FILE, in nats, the end of the sentence included.

    What all lines have together is said on standard error. Perplexity a token compares models of
    one vocabulary on one text, bits a character any models.
    """
    from seqcli.api.score import load_scorer, score_text
    from seqcli.text.line_scores import TextScore

    writer = writer_to(output)
    scorer = load_scorer(model, threads=threads)
    format_score = FORMATS[output_format]
    total = TextScore()
    with writer as write:
        for line in score_text(scorer, source):
            total = total.plus(line)
            write(format_score(line, total.lines))
    if total.lines and not quiet:
        say(_in_words(total))


def _in_words(total: "TextScore") -> str:
    return (
        f"{total.lines:,} {beside(total.lines, 'lines')}, {total.tokens:,} "
        f"{beside(total.tokens, 'tokens')} with the ends of sentences: "
        f"{total.nats_per_token:.4f} nats a token, perplexity {total.perplexity:.2f} a token, "
        f"{total.bits_per_character:.4f} bits a character with the ends of lines"
    )


def as_text(line: "LineScore", number: int) -> str:
    """The log-probability."""
    return f"{line.log_probability:.4f}"


def as_tsv(line: "LineScore", number: int) -> str:
    """Line number, log-probability (nats), number of tokens, perplexity a token."""
    return f"{number}\t{line.log_probability:.4f}\t{len(line.tokens)}\t{line.perplexity:.4f}"


def as_jsonl(line: "LineScore", number: int) -> str:
    """One object on a line, with the nats by which each token surprises."""
    value = {
        "line": number,
        "text": line.text,
        "log_probability": round(line.log_probability, 4),
        "perplexity": round(line.perplexity, 4) if math.isfinite(line.perplexity) else None,
        "tokens": line.tokens,
        "nats": [round(nats, 4) for nats in line.nats],
    }
    return json.dumps(value, ensure_ascii=False)


FORMATS: dict[str, Callable[["LineScore", int], str]] = {
    "text": as_text,
    "tsv": as_tsv,
    "jsonl": as_jsonl,
}
