"""Gates as text: single units as strips of blocks of eight heights, whole layers as tables."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len

from seqcli.cli.attention_drawing import COLUMN, letters_downwards
from seqcli.cli.inspect.tables import table

if TYPE_CHECKING:
    from seqcli.inspection.gate_statistics import GateStatistics
    from seqcli.inspection.gates import GateTrace

BLOCKS = "▁▂▃▄▅▆▇█"
NO_NUMBER = "?"


def trace_as_text(trace: "GateTrace") -> str:
    """Draw a strip for each unit and value, a column for each token, and the strip's range.

    Gates are drawn on a scale from 0 to 1; states from -x to x, where x is the largest |value|.
    """
    unit_width = max(len(_label(unit.unit)) for unit in trace.units)
    name_width = max(map(len, trace.units[0].values))
    margin = " " * (unit_width + name_width + 2)
    lines = [f"{trace.model}: {trace.part} layer {trace.layer}, {trace.direction}, {trace.cell}"]
    for letters in letters_downwards(tuple(trace.tokens)):
        row = "".join(letter + " " * (COLUMN - cell_len(letter)) for letter in letters)
        lines.append((margin + row).rstrip())
    for unit in trace.units:
        label = _label(unit.unit)
        for name, values in unit.values.items():
            strip = "".join(_blocks(values, is_gate=name in trace.gates))
            extremes = f"{min(values):.2f} to {max(values):.2f}"
            lines.append(f"{label:{unit_width}} {name:{name_width}} {strip}  {extremes}")
            label = ""
    return "\n".join(lines)


def statistics_as_text(found: "GateStatistics") -> str:
    """Lay out a table of the gates, where there are any, and one of the states."""
    counts = f"{found.sentences:,} sentences, {found.tokens:,} tokens"
    lines = [f"{found.model}: {found.part}, {found.cell}, {counts}"]
    gates = [
        (
            str(layer.layer),
            layer.direction,
            gate.gate,
            f"{gate.mean:.3f}",
            f"{gate.standard_deviation:.3f}",
            f"{gate.share_shut:.1%}",
            f"{gate.share_open:.1%}",
        )
        for layer in found.layers
        for gate in layer.gates
    ]
    if gates:
        header = ("layer", "direction", "gate", "mean", "deviation", "below 0.1", "above 0.9")
        lines += ["", table(header, gates, words=3)]
    states = [
        (
            str(layer.layer),
            layer.direction,
            *(f"{magnitude:.3f}" for magnitude in layer.magnitudes.values()),
            "-" if layer.memory_tokens is None else f"{layer.memory_tokens:.1f} tokens",
        )
        for layer in found.layers
    ]
    names = [f"mean |{name}|" for name in found.layers[0].magnitudes]
    return "\n".join([*lines, "", table(("layer", "direction", *names, "memory"), states, words=2)])


def _label(unit: int) -> str:
    return f"unit {unit}"


def _blocks(values: list[float], *, is_gate: bool) -> Iterator[str]:
    """A block for each value, as wide as a column."""
    largest = max(map(abs, values)) or 1.0
    for value in values:
        height = value if is_gate else (value / largest + 1) / 2
        if math.isfinite(height):
            yield BLOCKS[min(int(height * len(BLOCKS)), len(BLOCKS) - 1)] * COLUMN
        else:
            yield NO_NUMBER * COLUMN
