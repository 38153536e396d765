"""`seqcli inspect gradients`: how much gradient reaches other steps and lower layers."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from seqcli.cli.conflicts import refuse_beside, require_one_reader_of_stdin
from seqcli.cli.console import status
from seqcli.cli.inspect.options import PART, SOURCE, FormatOption, OutputOption, Part
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN
from seqcli.text.parallel import read_parallel

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Axes, Figure
    from seqcli.inspection.gradients import GradientFlow, GradientFlows
    from seqcli.inspection.loading import LoadedModel

SHOWN_LAGS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)  # in text; JSON and figures have all
BAR = 40  # characters of a norm at the upper end of the scale
LARGEST_SEED = 2**32 - 1


class Words(NamedTuple):
    """What is shown of a part of a model for a task, in words."""

    lags: str
    lag_axis: str
    layers: str


WORDS = {  # by task and part
    ("translation", "decoder"): Words(
        "loss of a target token by the input k steps before",
        "steps before the loss",
        "loss of the target by the output of each layer",
    ),
    ("translation", "encoder"): Words(
        "loss of the target by the input k steps before the source's end",
        "steps before the source's end",
        "loss of the target by the output of each layer",
    ),
    ("classification", "encoder"): Words(
        "loss of the label by the input k steps before the text's end",
        "steps before the text's end",
        "loss of the label by the output of each layer",
    ),
    ("tagging", "encoder"): Words(
        "loss of a tag by the input k steps away",
        "steps away from the tag",
        "loss of all tags by the output of each layer",
    ),
    ("language-modeling", "decoder"): Words(
        "loss of a token by the input k steps before",
        "steps before the loss",
        "loss of the text by the output of each layer",
    ),
}

ModelsArgument = Annotated[
    list[str],
    typer.Argument(metavar="MODEL...", help="Their folders, or the names of shipped ones."),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What is to be given for them, aligned by line; not for language models.",
        show_default=False,
    ),
]
PartOption = Annotated[
    Part | None, typer.Option(help=PART, show_default="the decoder, if there is one")
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
    reference: ReferenceOption = None,
    part: PartOption = None,
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
    sentences of --source with the translations, labels or tags of --reference. A language model
    reads --source alone. Several models of one kind are compared.
    """
    destination = destination_of(output, output_format)
    files = [source] if reference is None else [source, reference]
    require_one_reader_of_stdin({"--source": [source], "--reference": files[1:]})
    if seed is not None and not untrained:
        raise UsageError(
            "--seed makes no difference without --untrained",
            why="it draws fresh weights, and a trained model has its own",
            fix="Add --untrained, or leave out --seed",
        )
    from seqcli.inspection.gradients import GradientFlows, gradient_flow
    from seqcli.inspection.loading import load_network

    lines = read_parallel(*files)
    loaded = [load_network(model) for model in models]
    _require_one_task(loaded, files)
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
                    names=[str(file) for file in files],
                )
            )
    destination.write(GradientFlows(flows), as_text=_as_text, draw=_draw)


def _require_one_task(loaded: "Sequence[LoadedModel[Any]]", files: Sequence[Path]) -> None:
    """Refuse models for different tasks, and files that are not those of the task."""
    tasks = sorted({each.facts.task for each in loaded})
    if len(tasks) > 1:
        raise UsageError(
            f"models for {' and '.join(tasks)} cannot be compared",
            why="their losses are of different things",
            fix="Give models for one task",
        )
    needed = len(loaded[0].recipe.data.files)
    if len(files) < needed:
        raise UsageError(
            "Missing option '--reference'",
            why=f"a loss of a model for {tasks[0]} is that of what it is to give",
            fix="Give the file with what belongs to each line of --source",
        )
    if len(files) > needed:
        refuse_beside(
            f"a model for {tasks[0]}", {"--reference": True}, why="it reads the text of --source"
        )


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
    words = WORDS[flow.task, flow.part]
    by_lag = [(lag.lag, lag.norm) for lag in flow.lags if lag.lag in SHOWN_LAGS]
    by_layer = [(layer.layer, layer.norm) for layer in reversed(flow.layers)]
    return "\n".join(
        [
            f"{_name(flow)}: {flow.part}, {flow.sentences} sentences",
            f"{words.lags}: {_times(flow.factor_per_step)} a step",
            *_rows("k", by_lag, lag_scale),
            f"{words.layers}: {_times(flow.lowest_to_top)} from top to lowest",
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
    lag_axis = WORDS[result.flows[0].task, part].lag_axis
    lag_norms = [lag.norm for flow in result.flows for lag in flow.lags]
    _finish(by_lag, lag_axis, "gradient norm, by input", lag_norms)
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
