"""`seqcli inspect gates`: how gates open and shut, in a sentence or over a text."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seqcli.cli.inspect.output import FormatOption, ModelArgument, OutputOption, destination_of
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN

SourceArgument = Annotated[
    str | None,
    typer.Argument(metavar="[FILE]", help="A text to sum gates up over, or - for stdin."),
]
TextOption = Annotated[str | None, typer.Option(help="A sentence to follow single units over.")]
PartOption = Annotated[
    Literal["encoder", "decoder"], typer.Option(help="The side of the network to look at.")
]
TargetOption = Annotated[
    str | None,
    typer.Option(help="What the decoder reads.", show_default="its own greedy translation"),
]
LayerOption = Annotated[
    int | None, typer.Option(help="The layer to look at.", show_default="1, the lowest")
]
DirectionOption = Annotated[
    Literal["forward", "backward"] | None,
    typer.Option(help="Which way the layer reads.", show_default="forward if there"),
]
UnitsOption = Annotated[
    str | None,
    typer.Option(metavar="N,N...", help="The units to follow, from 0.", show_default=False),
]
MostVaryingOption = Annotated[
    int | None,
    typer.Option(min=1, help="How many of the units that vary most.", show_default="5"),
]


def show_gates(
    model: ModelArgument,
    source: SourceArgument = None,
    text: TextOption = None,
    part: PartOption = "encoder",
    target: TargetOption = None,
    layer: LayerOption = None,
    direction: DirectionOption = None,
    units: UnitsOption = None,
    most_varying: MostVaryingOption = None,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = "text",
) -> None:
    """Follow the gates of single units over a sentence, or sum up all gates over FILE."""
    destination = destination_of(output, output_format)
    choices = {
        "target": target,
        "layer": layer,
        "direction": direction,
        "units": None if units is None else _numbers(units),
        "most_varying": most_varying,
    }
    given: dict[str, Any] = {name: choice for name, choice in choices.items() if choice is not None}
    _check_options(source, text, part, given)
    from seqcli.cli.inspect import gate_figures, gate_text
    from seqcli.inspection.gate_statistics import gate_statistics
    from seqcli.inspection.gates import trace_gates
    from seqcli.inspection.loading import load_seq2seq

    loaded = load_seq2seq(model)
    if text is not None:
        destination.write(
            trace_gates(loaded, text, part=part, **given),
            as_text=gate_text.trace_as_text,
            draw=gate_figures.draw_trace,
        )
    elif source is not None:
        destination.write(
            gate_statistics(loaded, source, part=part),
            as_text=gate_text.statistics_as_text,
            draw=gate_figures.draw_statistics,
        )


def _check_options(source: str | None, text: str | None, part: str, given: dict[str, Any]) -> None:
    if (source is None) == (text is None):
        raise UsageError(
            "there is neither a sentence nor a file"
            if text is None
            else f"there is both a sentence and a file, {source}",
            why="units are followed over one sentence, gates are summed up over a file",
            fix='Give --text "a sentence", or a file',
        )
    if source is not None and given:
        raise UsageError(
            f"{' and '.join(map(_option, given))} cannot go with a file",
            why="over a file all units of all layers are summed up",
            fix='Leave it out, or give --text "a sentence" in place of the file',
        )
    if part == "encoder" and "target" in given:
        raise UsageError(
            "--target does not go with --part encoder",
            why="only the decoder reads a target",
            fix="Add --part decoder, or leave it out",
        )
    if "units" in given and "most_varying" in given:
        raise UsageError(
            "--units does not go with --most-varying",
            why="both choose the units",
            fix="Leave out one of them",
        )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _numbers(units: str) -> list[int]:
    """The numbers of "0,3,7", each once."""
    try:
        return list(dict.fromkeys(int(unit) for unit in units.split(",")))
    except ValueError:
        raise UsageError(
            f"--units {units} is no list of numbers", fix="Write them like 0,3,7"
        ) from None
