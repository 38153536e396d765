"""The gates and states of single units while a network reads one sentence."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import torch

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.config import require_positive
from seqcli.errors import ConfigError
from seqcli.inspection.loading import LoadedModel
from seqcli.inspection.replay import PlacedLayer, Values, layers_of, replay
from seqcli.inspection.sentences import encode_line, encode_source
from seqcli.nn.cells import RecurrentLayer
from seqcli.tokenizers import Tokenizer

CANDIDATE = "candidate"  # what a cell computes beside its gates
MOST_VARYING = 5


class UnitTrace(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit does over the tokens of a sentence."""

    unit: int
    values: dict[str, list[float]]  # by name: the gates, then the parts of the state


class GateTrace(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen units of one layer over the tokens that it reads, in the order of the text."""

    model: str
    part: str
    layer: int  # the lowest is 1
    direction: str
    cell: str
    tokens: list[str]
    gates: list[str]  # the names of the values that are from 0 to 1; the others are states
    units: list[UnitTrace]


def trace_gates(
    loaded: LoadedModel[Any],
    text: str,
    *,
    target: str | None = None,
    part: str | None = None,
    layer: int = 1,
    direction: str | None = None,
    units: Sequence[int] | None = None,
    most_varying: int = MOST_VARYING,
) -> GateTrace:
    """Follow units of one layer over a sentence.

    Where `part` is None, it is the encoder if there is one. The decoder of a translation model is
    followed while it reads `target`, or if that is None its own greedy translation; that of a
    language model reads the sentence. Where `direction` is None, it is forward if the layer reads
    forward. Where `units` is None, those are taken whose gates (in a cell without gates: whose
    states) vary most. Raises ConfigError for a part, layer, direction or unit that is not there and
    for a target that nothing reads, and DataError for a sentence that is empty or too long.
    """
    part = loaded.choose_part(part, preferred="encoder")
    if target is not None:
        _require_reader_of_target(loaded, part)
    require_positive("most_varying", most_varying)
    followed = _find_layer(loaded, part, layer, direction)
    _require_units(units or (), followed.module.hidden_size)
    source = encode_source(loaded, text, "the sentence")
    targets = None if target is None else [encode_line(loaded.target_tokenizer, target)]
    run = replay(loaded, part, [followed.module], [source], targets)
    values, gates = run.values[0], gates_of(run.values[0], followed.module)
    if followed.direction == "backward":
        values = {name: values_BSH.flip(1) for name, values_BSH in values.items()}
    shown = [*gates, *followed.module.state_names[::-1]]  # the cell before the hidden state
    chosen = most_varying_units(values, gates or shown, most_varying) if units is None else units
    return GateTrace(
        model=loaded.facts.name,
        part=part,
        layer=layer,
        direction=followed.direction,
        cell=loaded.stacks[part].config.cell,
        tokens=_tokenizer_of(loaded, part).vocabulary.pieces_of(run.tokens_BS[0].tolist()),
        gates=gates,
        units=[
            UnitTrace(unit=unit, values={name: values[name][0, :, unit].tolist() for name in shown})
            for unit in chosen
        ],
    )


def most_varying_units(values: Values, names: Sequence[str], count: int) -> list[int]:
    """Return the units whose values of these names vary most over the first row, the first ahead.

    The variances over the tokens are summed; of equals the lower number comes first.
    """
    total_H = torch.stack([values[name][0].var(0, correction=0) for name in names]).sum(0)
    order: list[int] = total_H.argsort(descending=True, stable=True)[:count].tolist()
    return order


def gates_of(values: Iterable[str], layer: RecurrentLayer) -> list[str]:
    """Return the names of those of a layer's values that are gates, from 0 to 1."""
    return [name for name in values if name not in (CANDIDATE, *layer.state_names)]


def _tokenizer_of(loaded: LoadedModel[Any], part: str) -> Tokenizer:
    return loaded.source_tokenizer if part == "encoder" else loaded.target_tokenizer


def _require_reader_of_target(loaded: LoadedModel[Any], part: str) -> None:
    if part != "decoder" or not isinstance(loaded.model, Seq2Seq):
        raise ConfigError(
            f"the {part} of the model in {loaded.folder} reads no target",
            why="it reads the sentence itself; only the decoder of a translation model reads a "
            "translation",
            fix="Leave the target out",
        )


def _find_layer(
    loaded: LoadedModel[Any], part: str, number: int, direction: str | None
) -> PlacedLayer:
    layers = layers_of(loaded, part)
    highest = layers[-1].number
    if not 1 <= number <= highest:
        raise ConfigError(
            f"the {part} has no layer {number}", fix=f"Choose one from 1, the lowest, to {highest}"
        )
    there = {layer.direction: layer for layer in layers if layer.number == number}
    if direction is None:
        return next(iter(there.values()))
    if direction not in there:
        raise ConfigError(
            f"the {part} has no {direction} layer", fix=f"Choose {' or '.join(there)}"
        )
    return there[direction]


def _require_units(units: Sequence[int], size: int) -> None:
    for unit in units:
        if not 0 <= unit < size:
            raise ConfigError(
                f"the layer has no unit {unit}", fix=f"Choose units from 0 to {size - 1}"
            )
