"""The gates of all layers of a network, summed up over a text."""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from seqcli.errors import DataError
from seqcli.inspection.gates import gates_of
from seqcli.inspection.loading import LoadedModel
from seqcli.inspection.replay import PlacedLayer, layers_of, replay
from seqcli.inspection.sentences import encode_source, groups_of
from seqcli.text.lines import name_of, read_lines

KEEPING = ("forget", "update")  # the gates that, open, keep the state as it was
SHUT, OPEN = 0.1, 0.9  # below and above these a gate is all but shut or open


class GateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One gate over all units of a layer and all tokens of a text."""

    gate: str
    mean: float
    standard_deviation: float
    share_shut: float  # of the values below SHUT
    share_open: float  # of the values above OPEN


class LayerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The gates and states of one layer and direction over a text.

    `memory_tokens` is the number of steps in which a state that nothing is added to falls to 1 / e
    of itself, if each step keeps the mean of the forget gate (in a GRU: of the update gate).
    """

    layer: int  # the lowest is 1
    direction: str
    gates: list[GateSummary]
    magnitudes: dict[str, float]  # the mean of |value|, for each part of the state
    memory_tokens: float | None


class GateStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The gates of an encoder or decoder over a text."""

    model: str
    part: str
    cell: str
    sentences: int
    tokens: int
    layers: list[LayerSummary]


def gate_statistics(
    loaded: LoadedModel[Any], source: str | Path, *, part: str | None = None
) -> GateStatistics:
    """Sum up the gates over the sentences of a file, or of standard input for "-".

    Where `part` is None, it is the encoder if there is one. The decoder of a translation model
    reads its own greedy translations, that of a language model the file. Empty lines are skipped.
    Raises ConfigError for a part that is not there, DataError for a file without a sentence and for
    a sentence that is too long.
    """
    part = loaded.choose_part(part, preferred="encoder")
    layers = layers_of(loaded, part)
    sums: list[dict[str, _Sum]] = [defaultdict(_Sum) for _ in layers]
    sentences = tokens = 0
    for batch in groups_of(loaded, _sentences(loaded, source)):
        run = replay(loaded, part, [layer.module for layer in layers], batch)
        sentences += len(batch)
        tokens += int(run.mask_BS.sum())
        for layer_sums, values in zip(sums, run.values, strict=True):
            for name, values_BSH in values.items():
                layer_sums[name].add(values_BSH[run.mask_BS])
    if not sentences:
        raise DataError(
            f"there is no sentence in {name_of(source)}",
            why="gates move only while a sentence is read",
            fix="Check that it is the right file",
        )
    return GateStatistics(
        model=loaded.facts.name,
        part=part,
        cell=loaded.stacks[part].config.cell,
        sentences=sentences,
        tokens=tokens,
        layers=[_summary(*pair) for pair in zip(layers, sums, strict=True)],
    )


class _Sum:
    """What is needed of all values for their mean, spread and shares."""

    def __init__(self) -> None:
        self._count = 0
        self._totals = torch.zeros(5, dtype=torch.float64)

    def add(self, values_NH: Tensor) -> None:
        values = values_NH.double()
        self._count += values.numel()
        kinds = (values, values**2, values < SHUT, values > OPEN, values.abs())
        self._totals += torch.stack([kind.sum(dtype=torch.float64) for kind in kinds])

    def summary(self, gate: str) -> GateSummary:
        mean, mean_square, shut, opened, _ = (self._totals / self._count).tolist()
        return GateSummary(
            gate=gate,
            mean=mean,
            standard_deviation=math.sqrt(max(0.0, mean_square - mean**2)),
            share_shut=shut,
            share_open=opened,
        )

    def magnitude(self) -> float:
        return self._totals[4].item() / self._count


def _summary(layer: PlacedLayer, sums: dict[str, _Sum]) -> LayerSummary:
    gates = [sums[name].summary(name) for name in gates_of(sums, layer.module)]
    kept = [gate.mean for gate in gates if gate.gate in KEEPING]
    return LayerSummary(
        layer=layer.number,
        direction=layer.direction,
        gates=gates,
        magnitudes={name: sums[name].magnitude() for name in layer.module.state_names[::-1]},
        memory_tokens=-1 / math.log(kept[0]) if kept and 0 < kept[0] < 1 else None,
    )


def _sentences(loaded: LoadedModel[Any], source: str | Path) -> Iterator[list[int]]:
    for number, line in enumerate(read_lines(source), start=1):
        if line.strip():
            yield encode_source(loaded, line, f"{name_of(source)}, line {number}: the sentence")
