"""`seqcli curves`: how trainings went, as curves in the terminal, figures or numbers."""

import csv
import io
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqcli.cli.inspect.figures import COLORS, WIDTH, title
from seqcli.cli.inspect.output import FORMATS, destination_of
from seqcli.cli.line_chart import Pens, chart_lines
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.text.lines import STDIN

if TYPE_CHECKING:
    from seqcli.api.curves import Curve, TrainingCurves
    from seqcli.cli.inspect.figures import Figure

Metric = Literal["loss", "score", "rate", "speed", "gradient"]
FORMS = {**FORMATS, ".csv": "csv"}
HEIGHT, WIDEST = 10, 120  # rows and characters of a chart in the terminal
INCHES_A_CHART = 2.6
STROKES = ("-", "--", ":")  # of a figure's lines, once its colours are used up

ModelsArgument = Annotated[
    list[str],
    typer.Argument(metavar="MODEL...", help="Their folders; also of trainings that go on."),
]
MetricOption = Annotated[
    Metric | None,
    typer.Option(
        help="The curve: training loss, validation score, learning rate, tokens a second, norm "
        "of the gradient.",
        show_default="loss and score",
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=f"A file of the kind that its ending names: {', '.join(FORMS)}.",
    ),
]
FormatOption = Annotated[
    Literal["text", "json", "csv"] | None,
    typer.Option(
        "--format", help="For people or for programs.", show_default="by the file, else text"
    ),
]


def curves(
    models: ModelsArgument,
    metric: MetricOption = None,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how trainings went, from the log that each has left in its folder.

    Several models are compared in one picture.
    """
    destination = destination_of(output, output_format, forms=FORMS)
    from seqcli.api.curves import training_curves

    found = training_curves(models) if metric is None else training_curves(models, [metric])
    if destination.form == "csv":
        with writer_to(output) as write:
            write(_as_csv(found))
        return
    colored = str(output) == STDIN and _shows_colors()
    destination.write(found, as_text=partial(_as_text, colored=colored), draw=_draw)


def _shows_colors() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def _as_csv(found: "TrainingCurves") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "metric", "step", "epoch", "seconds", "value"])
    for curve in found.curves:
        for point in curve.points:
            writer.writerow(
                [curve.model, curve.quantity, point.step, point.epoch, point.seconds, point.value]
            )
    return text.getvalue().removesuffix("\n")


def _as_text(found: "TrainingCurves", *, colored: bool) -> str:
    models = _models_of(found)
    return "\n\n".join(
        _chart(name, group, models, colored=colored) for name, group in found.by_title().items()
    )


def _models_of(found: "TrainingCurves") -> list[str]:
    """The models in order: by its number there one is known in all charts."""
    return list(dict.fromkeys(curve.model for curve in found.curves))


def _chart(name: str, group: "Sequence[Curve]", models: Sequence[str], *, colored: bool) -> str:
    """A title, the chart, and a line for each model that has such a curve."""
    pens = Pens(len(models), colored=colored)
    points = {curve.model: [(each.step, each.value) for each in curve.points] for curve in group}
    lines = chart_lines(
        [points.get(model, []) for model in models],
        pens,
        width=min(WIDEST, shutil.get_terminal_size().columns),
        height=HEIGHT,
    )
    legend = [f"{pens.sample(models.index(curve.model))} {_summary(curve)}" for curve in group]
    return "\n".join([f"{name}, by step", *lines, *legend])


def _summary(curve: "Curve") -> str:
    last = curve.points[-1]
    text = f"{curve.model}: {last.value:.4g} at step {last.step:,}"
    if curve.best is not None:
        text += f", best {curve.best.value:.4g} at step {curve.best.step:,}"
    return text


def _draw(found: "TrainingCurves", canvas: "Figure") -> None:
    """A chart below the other for each kind of value, a line in it for each model."""
    from seqcli.api.curves import SCORE

    groups = found.by_title()
    models = _models_of(found)
    canvas.set_size_inches(WIDTH, 0.4 + INCHES_A_CHART * len(groups))
    rows = canvas.subplots(len(groups), sharex=True, squeeze=False)[:, 0]
    lines = {}
    for axes, (name, group) in zip(rows, groups.items(), strict=True):
        for curve in group:
            number = models.index(curve.model)
            (lines[curve.model],) = axes.plot(
                [point.step for point in curve.points],
                [point.value for point in curve.points],
                color=COLORS[number % len(COLORS)],
                linestyle=STROKES[number // len(COLORS) % len(STROKES)],
                marker="." if curve.quantity == SCORE else "",  # the first may be the only one
            )
        axes.set_ylabel(name)
    rows[-1].set_xlabel("step")
    if len(models) == 1:
        title(canvas, models[0])
    else:
        canvas.legend(lines.values(), lines.keys(), loc="outside upper left", ncols=3)
