"""Gates as figures: a row for each gate and each part of the state."""

from typing import TYPE_CHECKING

from seqcli.cli.inspect.figures import COLORS, INK, WIDTH, title

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Axes, Figure
    from seqcli.inspection.gate_statistics import GateStatistics, GateSummary
    from seqcli.inspection.gates import GateTrace

INCHES_A_ROW = 1.1
INCHES_A_LETTER = 0.09  # of a label that is written upwards
GATE_RANGE = (-0.05, 1.05)
BAR = 0.4  # the width of one of two bars side by side


def draw_trace(trace: "GateTrace", canvas: "Figure") -> None:
    """Draw a line for each unit in each row, the tokens below."""
    names = list(trace.units[0].values)
    labels = INCHES_A_LETTER * max(map(len, trace.tokens))
    canvas.set_size_inches(WIDTH, 0.8 + INCHES_A_ROW * len(names) + labels)
    rows: list[Axes] = list(canvas.subplots(len(names), sharex=True, squeeze=False)[:, 0])
    places = range(len(trace.tokens))
    for axes, name in zip(rows, names, strict=True):
        for unit in trace.units:
            axes.plot(places, unit.values[name], marker=".", label=f"unit {unit.unit}")
        axes.set_ylabel(name)
        if name in trace.gates:
            axes.set_ylim(*GATE_RANGE)
    rows[-1].set_xticks(places, trace.tokens, rotation="vertical")
    canvas.legend(*rows[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    title(
        canvas, f"{trace.model}: {trace.part} layer {trace.layer}, {trace.direction}, {trace.cell}"
    )


def draw_statistics(found: "GateStatistics", canvas: "Figure") -> None:
    """Draw a row for each gate: means and deviations, and shares shut or open; states below."""
    names = [gate.gate for gate in found.layers[0].gates]
    states = list(found.layers[0].magnitudes)
    labels = [f"{layer.layer} {layer.direction}" for layer in found.layers]
    canvas.set_size_inches(WIDTH, 1.5 + INCHES_A_ROW * (len(names) + 1))
    rows = canvas.subplots(len(names) + 1, 2, sharex=True, squeeze=False)
    for place, name in enumerate(names):
        _draw_gate(name, [layer.gates[place] for layer in found.layers], *rows[place])
    for axes, name in zip(rows[-1], states, strict=False):
        axes.bar(labels, [layer.magnitudes[name] for layer in found.layers])
        axes.set_ylabel(f"|{name}|")
    if names:
        rows[0, 0].set_title("mean and deviation")
        rows[0, 1].set_title("share of values")
        rows[0, 1].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    for axes in rows[-1, len(states) :]:
        axes.set_axis_off()
    right_rows = rows[: len(names) + len(states) - 1, 1]
    for axes in [rows[-1, 0], *right_rows[-1:]]:
        axes.tick_params(axis="x", rotation=90, labelbottom=True)
    counts = f"{found.sentences:,} sentences, {found.tokens:,} tokens"
    title(canvas, f"{found.model}: {found.part}, {found.cell}, {counts}")


def _draw_gate(name: str, gates: "list[GateSummary]", left: "Axes", right: "Axes") -> None:
    places = range(len(gates))
    left.bar(
        places,
        [gate.mean for gate in gates],
        yerr=[gate.standard_deviation for gate in gates],
        ecolor=INK,
    )
    left.set_ylabel(name)
    left.set_ylim(*GATE_RANGE)
    right.bar(
        [place - BAR / 2 for place in places],
        [gate.share_shut for gate in gates],
        BAR,
        label="below 0.1",
        color=COLORS[0],
    )
    right.bar(
        [place + BAR / 2 for place in places],
        [gate.share_open for gate in gates],
        BAR,
        label="above 0.9",
        color=COLORS[1],
    )
    right.set_ylim(0, 1.05)
