"""`seqcli compare`: several systems on one test set, scored alike."""

import json
import logging
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqcli.cli.conflicts import require_one_reader_of_stdin
from seqcli.cli.console import status
from seqcli.cli.eval import (
    BleuTokenizeOption,
    LowercaseOption,
    ReferenceOption,
    parse_metrics,
    refuse_idle_tokenizer,
)
from seqcli.cli.inspect.tables import table
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.evaluation import DEFAULT_BLEU_TOKENIZER, DEFAULT_METRICS, METRICS

if TYPE_CHECKING:
    from seqcli.api.compare import Comparison

log = logging.getLogger(__name__)

SystemsArgument = Annotated[
    list[str],
    typer.Argument(metavar="MODEL_OR_FILE", help="Models, or files of output, a line each."),
]
SourceOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="What the models translate.")
]
MetricsOption = Annotated[
    str, typer.Option(metavar="NAMES", help=f"One or more, with commas, of {', '.join(METRICS)}.")
]
USUAL_METRICS = ",".join(DEFAULT_METRICS)
FormatOption = Annotated[
    Literal["text", "json"], typer.Option("--format", help="A table, or all in one object.")
]


def compare(
    systems: SystemsArgument,
    reference: ReferenceOption,
    source: SourceOption = None,
    metrics: MetricsOption = USUAL_METRICS,
    bleu_tokenize: BleuTokenizeOption = DEFAULT_BLEU_TOKENIZER,
    lowercase: LowercaseOption = False,
    format_: FormatOption = "text",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Score systems on the same lines, and test each against the first.

    Beside a score of BLEU, chrF or TER stands p: how probable so large a difference to the first
    system is by the choice of lines alone (paired bootstrap resampling, 1,000 samples).
    """
    require_one_reader_of_stdin(
        {"MODEL_OR_FILE": systems, "--source": [source], "--reference": reference}
    )
    names = parse_metrics(metrics)
    refuse_idle_tokenizer(bleu_tokenize, names)
    from seqcli.api.compare import compare_systems

    with nullcontext() if quiet else status(f"comparing {', '.join(systems)}"):
        comparison = compare_systems(
            systems,
            reference,
            names,
            source=source,
            bleu_tokenizer=bleu_tokenize,
            lowercase=lowercase,
            threads=threads,
        )
    for warning in comparison.warnings:
        log.warning(warning)
    if format_ == "json":
        typer.echo(json.dumps(asdict(comparison), indent=2))
    else:
        typer.echo(_as_text(comparison))


def _as_text(comparison: "Comparison") -> str:
    """A row for each system, then the signature of each score."""
    first = comparison.systems[0].scores
    header = ["system", *(cell for score in first for cell in (score.name, "p"))]
    rows = []
    for system in comparison.systems:
        row = [system.name]
        for score, p_value in zip(system.scores, system.p_values, strict=True):
            row += [f"{score.value:.1f}", "" if p_value is None else f"{p_value:.3f}"]
        rows.append(row)
    signatures = [f"{score.name}  {score.signature}" for score in first]
    return "\n".join([table(header, rows, words=1), "", *signatures])
