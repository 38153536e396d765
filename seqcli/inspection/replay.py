"""Layers run again, step by step, on what they read in the network: all that they do shows."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seqcli.architectures.language_model import LanguageModel
from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.data.batch import source_tensors, target_tensors
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.step import ModelStepper
from seqcli.inspection.forcing import read_target
from seqcli.inspection.loading import LoadedModel
from seqcli.nn.cells import RecurrentLayer, State
from seqcli.nn.recurrent import BackwardLayer, BidirectionalLayer

Values = dict[str, Tensor]  # of shape BSH, by name: the gates, then the parts of the state


class PlacedLayer(NamedTuple):
    """A recurrent layer and where it is."""

    number: int  # the lowest is 1
    direction: str
    module: RecurrentLayer


class Replay(NamedTuple):
    """What layers did while a batch was read, at each token in the order of their reading.

    The real tokens of a row come first, also for a layer that reads backward.
    """

    tokens_BS: Tensor  # in the order of the text
    mask_BS: Tensor
    values: list[Values]  # of each layer


def layers_of(loaded: LoadedModel[Any], part: str) -> list[PlacedLayer]:
    """List the layers of the encoder or decoder, from the lowest up."""
    return [
        PlacedLayer(number, direction, module)
        for number, layer in enumerate(loaded.stacks[part].stack.layers, start=1)
        for direction, module in _directions(layer)
    ]


@torch.inference_mode()
def replay(
    loaded: LoadedModel[Any],
    part: str,
    layers: Sequence[RecurrentLayer],
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]] | None = None,
) -> Replay:
    """Let the network read sentences, then run `layers` of its encoder or decoder again.

    The decoder of a Seq2Seq reads `targets`, or if they are None what greedy search writes; that
    of a language model reads `sources`.
    """
    if isinstance(loaded.model, Seq2Seq) and part == "decoder" and targets is None:
        targets = _greedy_targets(loaded, sources)
    with ExitStack() as watching:
        calls = [watching.enter_context(_watched(layer)) for layer in layers]
        tokens_BS, mask_BS = _read(loaded.model, sources, targets)
    values = [
        replay_layer(layer, torch.cat([inputs for inputs, _ in made], dim=1), made[0][1])
        for layer, made in zip(layers, calls, strict=True)
    ]
    return Replay(tokens_BS, mask_BS, values)


def replay_layer(layer: RecurrentLayer, inputs_BSE: Tensor, state: State | None) -> Values:
    """Run a layer step by step from `state` on (zero if None); return gates and states."""
    weight_GE, bias_G = layer.input_weights()
    products_BSG = layer.prepare(nn.functional.linear(inputs_BSE, weight_GE, bias_G))
    recurrent_weights = layer.recurrent_weights()
    state = state or layer.zero_state(inputs_BSE)
    steps: list[Values] = []
    for products_BG in products_BSG.unbind(1):
        recurrent_BG = nn.functional.linear(state[0], *recurrent_weights)
        gates = layer.gates(products_BG, recurrent_BG, state)
        state = layer.update(gates, state)
        steps.append(gates | dict(zip(layer.state_names, state, strict=True)))
    return {name: torch.stack([step[name] for step in steps], dim=1) for name in steps[0]}


def _read(
    model: nn.Module,
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]] | None,
) -> tuple[Tensor, Tensor]:
    """Let the model read; return the tokens of its last part to read, and their mask."""
    if isinstance(model, LanguageModel):
        input_BT, _, mask_BT = target_tensors(sources)
        model(input_BT)
        return input_BT, mask_BT
    source_BS, mask_BS = source_tensors(sources)
    if not isinstance(model, Seq2Seq):
        model(source_BS, mask_BS)
        return source_BS, mask_BS
    memory, state = model.encode(source_BS, mask_BS)
    if targets is None:
        return source_BS, mask_BS
    input_BT, _, mask_BT = target_tensors(targets)
    read_target(model.decoder, model.embed_target(input_BT), memory, state)
    return input_BT, mask_BT


def _directions(layer: nn.Module) -> Iterator[tuple[str, RecurrentLayer]]:
    if isinstance(layer, RecurrentLayer):
        yield "forward", layer
    if isinstance(layer, BidirectionalLayer):
        yield "forward", layer.forwards
    if isinstance(layer, BidirectionalLayer | BackwardLayer):
        yield "backward", layer.backwards


@contextmanager
def _watched(layer: RecurrentLayer) -> Iterator[list[tuple[Tensor, State | None]]]:
    """Yield a list that gains the inputs_BSE and the state of each call of the layer."""
    calls: list[tuple[Tensor, State | None]] = []

    def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        calls.append(arguments[:2])

    handle = layer.register_forward_pre_hook(note)
    try:
        yield calls
    finally:
        handle.remove()


def _greedy_targets(
    loaded: LoadedModel[Seq2Seq], sources: Sequence[Sequence[int]]
) -> list[list[int]]:
    found = greedy_search(
        ModelStepper(loaded.model),
        *source_tensors(sources),
        max_length_ratio=loaded.recipe.decoding.max_length_ratio,
    )
    return [candidates[0].tokens for candidates in found]
