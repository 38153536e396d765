"""`seqcli inspect gates`: how gates open and shut, in a sentence or over a file."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.console import status
from seqcli.cli.inspect.options import (
    PART,
    SOURCE,
    FormatOption,
    ModelArgument,
    OutputOption,
    Part,
    TargetOption,
    TextOption,
    require_sentence_or_file,
)
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN

PartOption = Annotated[
    Part | None, typer.Option(help=PART, show_default="the encoder, if there is one")
]
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
    part: PartOption = None,
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
    _refuse_conflicts(source, given)
    from seqcli.cli.inspect import gate_figures, gate_text
    from seqcli.inspection.gate_statistics import gate_statistics
    from seqcli.inspection.gates import trace_gates
    from seqcli.inspection.loading import load_network

    loaded = load_network(model)
    if loaded.choose_part(part, preferred="encoder") == "encoder":
        refuse_beside("--part encoder", {"--target": target}, why="only a decoder reads a target")
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


def _refuse_conflicts(source: str | None, given: dict[str, Any]) -> None:
    options = {"--" + name.replace("_", "-"): choice for name, choice in given.items()}
    if source is not None:
        refuse_beside("--source", options, why="over a file, all units of all layers are summed up")
    if "units" in given:
        most_varying = {"--most-varying": options.get("--most-varying")}
        refuse_beside("--units", most_varying, why="both choose the units")


def _numbers(units: str) -> list[int]:
    """The numbers of "0,3,7", each once."""
    try:
        numbers = list(dict.fromkeys(int(unit) for unit in units.split(",")))
        if min(numbers) >= 0:
            return numbers
    except ValueError:  # refused as negative ones are
        pass
    raise UsageError(
        f"--units {units} is no list of units",
        why="a layer of N units numbers them from 0 to N - 1",
        fix="Write whole numbers with commas between, like 0,3,7",
    )
