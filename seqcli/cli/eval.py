"""`seqcli eval`: score a model or a file by references."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqcli.api.evaluate import (
    DEFAULT_BLEU_TOKENIZER,
    DEFAULT_METRICS,
    Evaluation,
    evaluate_files,
    evaluate_model,
)
from seqcli.cli.console import status
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.errors import UsageError
from seqcli.evaluation import BLEU_TOKENIZERS, METRICS
from seqcli.text.lines import STDIN

METRICS_BY_DEFAULT = ",".join(DEFAULT_METRICS)

log = logging.getLogger(__name__)

ModelArgument = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="Its folder, or the name of a shipped one.")
]
ReferenceOption = Annotated[
    list[str], typer.Option(metavar="FILE", help="Right answers, a line each; can be repeated.")
]
SourceOption = Annotated[str | None, typer.Option(metavar="FILE", help="What MODEL translates.")]
HypothesisOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Score this file (- for stdin), not MODEL.")
]
MetricsOption = Annotated[
    str, typer.Option(metavar="NAMES", help=f"One or more, with commas, of {', '.join(METRICS)}.")
]
BleuTokenizeOption = Annotated[
    str, typer.Option(metavar="NAME", help=f"How BLEU cuts words: {', '.join(BLEU_TOKENIZERS)}.")
]
LowercaseOption = Annotated[bool, typer.Option("--lowercase", help="Let case make no difference.")]
BeamOption = Annotated[
    int | None, typer.Option(min=1, help="Beam width of MODEL.", show_default="the model's")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write MODEL's translations here too."),
]
FormatOption = Annotated[
    Literal["text", "json"], typer.Option("--format", help="A line a score, or all in one object.")
]
WidthOption = Annotated[
    int, typer.Option("--width", "-w", min=0, max=15, help="Decimals in text; JSON has them all.")
]


def eval_(
    reference: ReferenceOption,
    model: ModelArgument = None,
    source: SourceOption = None,
    hypothesis: HypothesisOption = None,
    metrics: MetricsOption = METRICS_BY_DEFAULT,
    bleu_tokenize: BleuTokenizeOption = DEFAULT_BLEU_TOKENIZER,
    lowercase: LowercaseOption = False,
    beam: BeamOption = None,
    output: OutputOption = None,
    format_: FormatOption = "text",
    width: WidthOption = 1,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Score the translations of MODEL, or of a file, by references."""
    _require_one_reader_of_stdin([source, hypothesis, *reference])
    names = [name.strip() for name in metrics.split(",")]
    _refuse_idle_tokenizer(bleu_tokenize, names)
    if hypothesis is not None:
        _refuse_with_hypothesis(
            {
                "MODEL": model,
                "--source": source,
                "--beam": beam,
                "--output": output,
                "--threads": threads,
            }
        )
        evaluation = evaluate_files(
            hypothesis, reference, names, bleu_tokenizer=bleu_tokenize, lowercase=lowercase
        )
    elif model is None or source is None:
        raise UsageError(
            "there is nothing to score" if model is None else "there is nothing to translate",
            fix="Give MODEL and --source FILE, or else --hypothesis FILE",
        )
    else:
        from seqcli.api.translate import load_translator

        translator = load_translator(model, beam_width=beam, threads=threads)
        watched = nullcontext() if quiet else status(f"translating {source}")
        with writer_to(output) as keep, watched:
            evaluation = evaluate_model(
                translator,
                source,
                reference,
                names,
                bleu_tokenizer=bleu_tokenize,
                lowercase=lowercase,
                on_translation=keep,
            )
    _show(evaluation, format_, width)


def _show(evaluation: Evaluation, format_: str, width: int) -> None:
    for warning in evaluation.warnings:
        log.warning(warning)
    if format_ == "json":
        report = {
            "scores": [asdict(score) for score in evaluation.scores],
            "lines": evaluation.line_count,
            "references": evaluation.reference_count,
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        for score in evaluation.scores:
            typer.echo(f"{score.name} {score.value:.{width}f}  {score.signature}")


def _require_one_reader_of_stdin(files: Sequence[str | None]) -> None:
    if files.count(STDIN) > 1:
        raise UsageError(
            "standard input can be read only once",
            why='more than one of --source, --hypothesis and --reference is "-"',
            fix="Put all but one of them in files",
        )


def _refuse_idle_tokenizer(bleu_tokenize: str, names: Sequence[str]) -> None:
    if bleu_tokenize != DEFAULT_BLEU_TOKENIZER and "bleu" not in names:
        raise UsageError(
            f"--bleu-tokenize makes no difference to {', '.join(names)}",
            why="it cuts words for BLEU alone",
            fix="Add bleu to --metrics, or leave it out",
        )


def _refuse_with_hypothesis(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"{name} does not go with --hypothesis",
                why="a file of hypotheses is translated already",
                fix=f"Leave out {name}, or --hypothesis",
            )
