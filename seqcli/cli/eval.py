"""`seqcli eval`: score a model or a file by references."""

import json
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seqcli.cli.conflicts import refuse_beside, require_one_reader_of_stdin
from seqcli.cli.console import status
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.errors import UsageError
from seqcli.evaluation import BLEU_TOKENIZERS, DEFAULT_BLEU_TOKENIZER, DEFAULT_METRICS, METRICS
from seqcli.evaluation.buckets import require_length_bounds

if TYPE_CHECKING:
    from seqcli.api.evaluate import Evaluation
    from seqcli.evaluation import LengthBucket

log = logging.getLogger(__name__)

ModelArgument = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="Its folder, or the name of a shipped one.")
]
ReferenceOption = Annotated[
    list[str], typer.Option(metavar="FILE", help="Right answers, a line each; can be repeated.")
]
SourceOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="What MODEL translates, or --by-length counts words of."),
]
HypothesisOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Score this file (- for stdin), not MODEL.")
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help=f"One or more, with commas, of {', '.join(METRICS)}.",
        show_default=f"{','.join(DEFAULT_METRICS)}; for labels those that suit MODEL",
    ),
]
BleuTokenizeOption = Annotated[
    str, typer.Option(metavar="NAME", help=f"How BLEU cuts words: {', '.join(BLEU_TOKENIZERS)}.")
]
LowercaseOption = Annotated[bool, typer.Option("--lowercase", help="Let case make no difference.")]
ByLengthOption = Annotated[
    str | None,
    typer.Option(
        metavar="WORDS",
        help="Also score short and long lines apart: 10,20 is 0-10, 11-20 and 21+ words of "
        "--source, or else of the first --reference.",
    ),
]
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
    metrics: MetricsOption = None,
    bleu_tokenize: BleuTokenizeOption = DEFAULT_BLEU_TOKENIZER,
    lowercase: LowercaseOption = False,
    by_length: ByLengthOption = None,
    beam: BeamOption = None,
    output: OutputOption = None,
    format_: FormatOption = "text",
    width: WidthOption = 1,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Score the translations of MODEL, or of a file, by references."""
    require_one_reader_of_stdin(
        {"--source": [source], "--hypothesis": [hypothesis], "--reference": reference}
    )
    names = _metric_names(metrics, None if source is None or hypothesis is not None else model)
    refuse_idle_tokenizer(bleu_tokenize, names)
    bounds = () if by_length is None else _parse_bounds(by_length)
    judging: dict[str, Any] = {
        "bleu_tokenizer": bleu_tokenize,
        "lowercase": lowercase,
        "by_length": bounds,
    }
    from seqcli.api.evaluate import evaluate_files, evaluate_model

    if hypothesis is not None:
        idle = {"MODEL": model, "--beam": beam, "--output": output, "--threads": threads}
        refuse_beside(
            "--hypothesis",
            idle if bounds else idle | {"--source": source},
            why="a file of hypotheses is translated already",
        )
        evaluation = evaluate_files(hypothesis, reference, names, source=source, **judging)
    elif model is None or source is None:
        raise UsageError(
            "there is nothing to score" if model is None else "there is nothing to translate",
            fix="Give MODEL and --source FILE, or else --hypothesis FILE",
        )
    else:
        from seqcli.api.systems import load_system

        writer = writer_to(output)
        translator = load_system(model, beam_width=beam, threads=threads)
        watched = nullcontext() if quiet else status(f"translating {source}")
        with writer as keep, watched:
            evaluation = evaluate_model(
                translator, source, reference, names, on_translation=keep, **judging
            )
    _show(evaluation, format_, width)


def _metric_names(metrics: str | None, model: str | None) -> Sequence[str]:
    """The metrics asked for, or those that suit a model, or translations if there is none."""
    if metrics is not None:
        return parse_metrics(metrics)
    if model is None:
        return DEFAULT_METRICS
    from seqcli.api.systems import usual_metrics

    return usual_metrics(model)


def parse_metrics(names: str) -> list[str]:
    """The names between the commas."""
    return [name.strip() for name in names.split(",")]


def _show(evaluation: "Evaluation", format_: str, width: int) -> None:
    for warning in evaluation.warnings:
        log.warning(warning)
    if format_ == "json":
        report: dict[str, object] = {
            "scores": [asdict(score) for score in evaluation.scores],
            "lines": evaluation.line_count,
            "references": evaluation.reference_count,
        }
        if evaluation.by_length:
            report["by_length"] = _buckets_for_json(evaluation)
        typer.echo(json.dumps(report, indent=2))
    else:
        for score in evaluation.scores:
            typer.echo(f"{score.name} {score.value:.{width}f}  {score.signature}")
        _show_buckets(evaluation, width)


def _buckets_for_json(evaluation: "Evaluation") -> list[dict[str, object]]:
    return [
        {
            "shortest": bucket.shortest,
            "longest": bucket.longest,
            "lines": bucket.line_count,
            "scores": [
                {"name": score.name, "value": value}
                for score, value in zip(evaluation.scores, _values(bucket, evaluation), strict=True)
            ],
        }
        for bucket in evaluation.by_length
    ]


def _show_buckets(evaluation: "Evaluation", width: int) -> None:
    """A row for each bucket, each column as wide as its widest cell."""
    rows = []
    for bucket in evaluation.by_length:
        end = "+" if bucket.longest is None else f"-{bucket.longest}"
        values = _values(bucket, evaluation)
        cells = ["-" if value is None else f"{value:.{width}f}" for value in values]
        rows.append([f"{bucket.shortest}{end}", str(bucket.line_count), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = [score.name for score in evaluation.scores]
    for row in rows:
        length, count, *cells = [cell.rjust(size) for cell, size in zip(row, widths, strict=True)]
        scores = [f"{name} {cell}" for name, cell in zip(names, cells, strict=True)]
        typer.echo("   ".join([f"length {length}", f"{count} lines", *scores]))


def _values(bucket: "LengthBucket", evaluation: "Evaluation") -> list[float | None]:
    """The value of each metric, None for each where the bucket has no lines."""
    return [score.value for score in bucket.scores] or [None] * len(evaluation.scores)


def _parse_bounds(words: str) -> tuple[int, ...]:
    try:
        bounds = tuple(int(number) for number in words.split(","))
    except ValueError as error:
        raise UsageError(
            f"--by-length {words!r} is not a list of whole numbers",
            why="each is the most words that a line of its bucket may have",
            fix="Put commas between them, as in --by-length 10,20,30",
        ) from error
    require_length_bounds(bounds)
    return bounds


def refuse_idle_tokenizer(bleu_tokenize: str, names: Sequence[str]) -> None:
    """Raise UsageError for a tokenizer of BLEU where it is none of the metrics."""
    if bleu_tokenize != DEFAULT_BLEU_TOKENIZER and "bleu" not in names:
        raise UsageError(
            f"--bleu-tokenize makes no difference to {', '.join(names)}",
            why="it cuts words for BLEU alone",
            fix="Add bleu to --metrics, or leave it out",
        )
