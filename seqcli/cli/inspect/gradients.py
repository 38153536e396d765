"""`seqcli inspect gradients`: how much gradient reaches earlier steps and lower layers."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqcli.cli.conflicts import require_one_reader_of_stdin
from seqcli.cli.console import status
from seqcli.cli.inspect.options import (
    REFERENCE,
    SOURCE,
    FormatOption,
    OutputOption,
    PartOption,
)
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN
from seqcli.text.parallel import read_parallel

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Axes, Figure
    from seqcli.inspection.gradients import GradientFlow, GradientFlows

SHOWN_LAGS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)  # in text; JSON and figures have all
BAR = 40  # characters of a norm at the upper end of the scale
LARGEST_SEED = 2**32 - 1
LAG_TITLES = {
    "decoder": "loss of a target token by the input k steps before",
    "encoder": "loss of the target by the input k steps before the source's end",
}
LAG_LABELS = {"decoder": "steps before the loss", "encoder": "steps before the source's end"}
LAYER_TITLE = "loss of the target by the output of each layer"

ModelsArgument = Annotated[
    list[str],
    typer.Argument(metavar="MODEL...", help="Their folders, or the names of shipped ones."),
]
UntrainedOption = Annotated[
    bool,
    typer.Option("--untrained", help="Look at fresh weights instead, as a training begins with."),
]
SentencesOption = Annotated[
    int, typer.Option(metavar="N", min=1, help="Measure on the first N pairs.")
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=LARGEST_SEED,
        help="Start of the random numbers of --untrained.",
        show_default="the recipe's",
    ),
]


def show_gradients(
    models: ModelsArgument,
    source: Annotated[Path, SOURCE],
    reference: Annotated[Path, REFERENCE],
    part: PartOption = "decoder",
    sentences: SentencesOption = 100,
    untrained: UntrainedOption = False,
    seed: SeedOption = None,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how far back the gradient of the loss reaches.

    That is, how much of it is left at earlier steps and in lower layers, on average over the
    sentences of --source with the translations of --reference. Several models are compared.
    """
    destination = destination_of(output, output_format)
    require_one_reader_of_stdin({"--source": [source], "--reference": [reference]})
    if seed is not None and not untrained:
        raise UsageError(
            "--seed makes no difference without --untrained",
            why="it draws fresh weights, and a trained model has its own",
            fix="Add --untrained, or leave out --seed",
        )
    from seqcli.inspection.gradients import GradientFlows, gradient_flow
    from seqcli.inspection.loading import load_seq2seq

    lines = read_parallel(source, reference)
    loaded = [load_seq2seq(model) for model in models]
    flows = []
    for name, model in zip(models, loaded, strict=True):
        with nullcontext() if quiet else status(f"measuring {name}"):
            flows.append(
                gradient_flow(
                    model,
                    *lines,
                    part=part,
                    sentences=sentences,
                    untrained=untrained,
                    seed=seed,
                    name=name,
                )
            )
    destination.write(GradientFlows(flows), as_text=_as_text, draw=_draw)


def _as_text(result: "GradientFlows") -> str:
    """The bars of all models have one scale, that of the norms that are shown."""
    shown = [lag.norm for flow in result.flows for lag in flow.lags if lag.lag in SHOWN_LAGS]
    scales = _decades(shown), _decades(_layer_norms(result))
    return "\n\n".join(_block(flow, *scales) for flow in result.flows)


def _layer_norms(result: "GradientFlows") -> list[float]:
    return [layer.norm for flow in result.flows for layer in flow.layers]


def _block(
    flow: "GradientFlow", lag_scale: tuple[float, float], layer_scale: tuple[float, float]
) -> str:
    by_lag = [(lag.lag, lag.norm) for lag in flow.lags if lag.lag in SHOWN_LAGS]
    by_layer = [(layer.layer, layer.norm) for layer in reversed(flow.layers)]
    return "\n".join(
        [
            f"{_name(flow)}: {flow.part}, {flow.sentences} sentences",
            f"{LAG_TITLES[flow.part]}: {_times(flow.factor_per_step)} a step",
            *_rows("k", by_lag, lag_scale),
            f"{LAYER_TITLE}: {_times(flow.lowest_to_top)} from top to lowest",
            *_rows("layer", by_layer, layer_scale),
        ]
    )


def _rows(title: str, norms: Sequence[tuple[int, float]], scale: tuple[float, float]) -> list[str]:
    """A row for each norm, with a bar that grows by the same length for each factor."""
    low, high = map(math.log10, scale)
    rows = []
    for number, norm in norms:
        share = (math.log10(norm) - low) / (high - low) if norm > 0 else 0
        rows.append(f"{title} {number:>3}  {norm:<9.3g} {'█' * round(BAR * share)}".rstrip())
    return rows


def _times(factor: float | None) -> str:
    return "x?" if factor is None else f"x{factor:.3g}"


def _name(flow: "GradientFlow") -> str:
    return flow.model if flow.is_trained else f"{flow.model} (untrained)"


def _draw(result: "GradientFlows", canvas: "Figure") -> None:
    by_lag, by_layer = canvas.subplots(1, 2, width_ratios=(3, 2))
    for flow in result.flows:
        by_lag.plot(
            [lag.lag for lag in flow.lags],
            [lag.norm for lag in flow.lags],
            label=f"{_name(flow)}, {_times(flow.factor_per_step)} a step",
        )
        by_layer.plot(
            [layer.layer for layer in flow.layers],
            [layer.norm for layer in flow.layers],
            marker="o",
            markersize=3,
        )
    part = result.flows[0].part
    lag_norms = [lag.norm for flow in result.flows for lag in flow.lags]
    _finish(by_lag, LAG_LABELS[part], "gradient norm, by input", lag_norms)
    _finish(by_layer, f"{part} layer", "gradient norm, by layer's output", _layer_norms(result))
    by_layer.set_xticks(range(1, 1 + max(len(flow.layers) for flow in result.flows)))
    canvas.legend(loc="outside lower left", ncols=2)


def _finish(axes: "Axes", x_label: str, y_label: str, norms: Sequence[float]) -> None:
    """Let the norms have a scale of whole powers of ten."""
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_yscale("log")
    axes.set_ylim(*_decades(norms))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")


def _decades(norms: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around all norms but zeros, which have no place on a scale of logarithms.

    The lower one is below the least norm, so that its bar has a length.
    """
    exponents = [math.log10(norm) for norm in norms if norm > 0] or [0.0]
    return 10.0 ** (math.ceil(min(exponents)) - 1), 10.0 ** math.ceil(max(exponents))
