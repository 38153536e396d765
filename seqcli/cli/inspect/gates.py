"""`seqcli inspect gates`: how gates open and shut, in a sentence or over a file."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.console import status
from seqcli.cli.inspect.options import (
    SOURCE,
    FormatOption,
    ModelArgument,
    OutputOption,
    PartOption,
    TargetOption,
    TextOption,
    require_sentence_or_file,
)
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN

LayerOption = Annotated[
    int | None, typer.Option(help="The layer to follow.", show_default="1, the lowest")
]
DirectionOption = Annotated[
    Literal["forward", "backward"] | None,
    typer.Option(help="Which way the layer reads.", show_default="forward, if there is one"),
]
UnitsOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N...",
        help="The units to follow, from 0 on.",
        show_default="those that vary most",
    ),
]
MostVaryingOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Follow the N units that vary most.", show_default="5"),
]


def show_gates(
    model: ModelArgument,
    text: TextOption = None,
    target: TargetOption = None,
    source: Annotated[str | None, SOURCE] = None,
    part: PartOption = "encoder",
    layer: LayerOption = None,
    direction: DirectionOption = None,
    units: UnitsOption = None,
    most_varying: MostVaryingOption = None,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how gates open and shut while a model reads.

    Over the sentence of --text, some units of one layer are followed from token to token. Over the
    sentences of --source, the gates of all units are summed up for each layer.
    """
    destination = destination_of(output, output_format)
    require_sentence_or_file(text, source)
    choices = {
        "target": target,
        "layer": layer,
        "direction": direction,
        "units": None if units is None else _numbers(units),
        "most_varying": most_varying,
    }
    given: dict[str, Any] = {name: choice for name, choice in choices.items() if choice is not None}
    _refuse_conflicts(source, part, given)
    from seqcli.cli.inspect import gate_figures, gate_text
    from seqcli.inspection.gate_statistics import gate_statistics
    from seqcli.inspection.gates import trace_gates
    from seqcli.inspection.loading import load_seq2seq

    loaded = load_seq2seq(model)
    if source is not None:
        with nullcontext() if quiet else status(f"reading {source}"):
            found = gate_statistics(loaded, source, part=part)
        destination.write(
            found, as_text=gate_text.statistics_as_text, draw=gate_figures.draw_statistics
        )
    elif text is not None:
        destination.write(
            trace_gates(loaded, text, part=part, **given),
            as_text=gate_text.trace_as_text,
            draw=gate_figures.draw_trace,
        )


def _refuse_conflicts(source: str | None, part: str, given: dict[str, Any]) -> None:
    options = {"--" + name.replace("_", "-"): choice for name, choice in given.items()}
    if source is not None:
        refuse_beside("--source", options, why="over a file, all units of all layers are summed up")
    if part == "encoder":
        target = {"--target": options.get("--target")}
        refuse_beside("--part encoder", target, why="only the decoder reads a target")
    if "units" in given:
        most_varying = {"--most-varying": options.get("--most-varying")}
        refuse_beside("--units", most_varying, why="both choose the units")


def _numbers(units: str) -> list[int]:
    """The numbers of "0,3,7", each once."""
    try:
        return list(dict.fromkeys(int(unit) for unit in units.split(",")))
    except ValueError:
        raise UsageError(
            f"--units {units} is no list of numbers", fix="Write them like 0,3,7"
        ) from None
