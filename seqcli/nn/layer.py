"""What a recurrent layer of any cell does: read a whole sequence, or go step by step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.masks import Reading
from seqcli.nn.packing import WholePacking
from seqcli.nn.stepping import StepProduct

State = tuple[Tensor, ...]  # hidden_BH, and for LSTMs cell_BH
Gates = dict[str, Tensor]  # by name, each of shape BH


class RecurrentLayer(nn.Module, ABC):
    """One recurrent layer that reads forward.

    G is the width of what a step computes from input and state: `hidden_size` for each gate.
    `state_dropout` drops the same units of the state before the recurrent product of every step
    (Gal and Ghahramani, 2016).
    """

    state_names: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(self, *, input_size: int, hidden_size: int, state_dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_dropout = VariationalDropout(state_dropout)

    @abstractmethod
    def input_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return weight_GE and bias_G of the product with the input."""

    @abstractmethod
    def recurrent_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return weight_GH and bias_G of the product with the state."""

    @abstractmethod
    def gates(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> Gates:
        """Return the gates of a step, given the products of input and state with their weights."""

    @abstractmethod
    def update(self, gates: Gates, state: State) -> State:
        """Return the state after a step with these gates."""

    @abstractmethod
    def kernel(self, device_type: str) -> str:
        """Name what computes a whole sequence in training: lstm_sequence, cuDNN, torch or steps."""

    def prepare(self, products: Tensor) -> Tensor:
        """Return what the steps read of the input's products; it does not depend on the state."""
        return products

    def step(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> State:
        """Return the state after a step."""
        return self.update(self.gates(products_BG, recurrent_BG, state), state)

    def zero_state(self, inputs_BSE: Tensor) -> State:
        """Return the state before the first step."""
        zero_BH = inputs_BSE.new_zeros(len(inputs_BSE), self.hidden_size)
        return (zero_BH,) * len(self.state_names)

    def forward(
        self, inputs_BSE: Tensor, state: State | None = None, reading: Reading | None = None
    ) -> tuple[Tensor, State]:
        """Read from `state` on (zero if None); return states_BSH and the last state.

        The last state is that after the last position where there is no `reading`, that after the
        last real token of each row with one that asks for it, and else meaningless. So are the
        states of padding.
        """
        packing = reading.packing if reading else WholePacking(*inputs_BSE.shape[:2])
        arranged = map(packing.arrange, state or self.zero_state(inputs_BSE))
        first = tuple(first_rows(part_BH, packing.sizes[0]) for part_BH in arranged)
        parts_NH = self.read(packing.pack(inputs_BSE), first, packing.sizes)
        return packing.unpack(parts_NH[0]), tuple(map(packing.last, parts_NH))

    def read(self, inputs_NE: Tensor, state: State, sizes: Sequence[int]) -> State:
        """Return the states after each of N tokens, given step after step, of `sizes` rows each."""
        steps = LayerSteps(self, sizes, inputs_NE)
        states = []
        with torch.autocast(inputs_NE.device.type, enabled=False):
            for size in sizes:
                state = steps.advance(tuple(first_rows(part_BH, size) for part_BH in state))
                states.append(state)
            return tuple(torch.cat(part) for part in zip(*states, strict=True))


class SummingLayer(RecurrentLayer):
    """A layer whose gates depend on the products of input and state by their sum alone."""

    @abstractmethod
    def gates_by_sums(self, sums_BG: Tensor) -> Gates:
        """Do as `gates`, given the sums."""

    def step_by_sums(self, sums_BG: Tensor, state: State) -> State:
        """Do as `step`, given the sums, in any number format."""
        return self.update(self.gates_by_sums(at_least_float32(sums_BG)), state)

    def gates(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> Gates:
        return self.gates_by_sums(products_BG + recurrent_BG)

    def step(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> State:
        return self.step_by_sums(products_BG + recurrent_BG, state)


class LayerSteps:
    """One pass of a layer over steps of `sizes` rows.

    Where inputs_NE of all steps are known, their products are made at once; else each step is given
    its own. The gradients of weights are made at once.
    """

    def __init__(
        self, layer: RecurrentLayer, sizes: Sequence[int], inputs_NE: Tensor | None = None
    ) -> None:
        self._layer = layer
        weight_GE, bias_G = layer.input_weights()
        weight_GH, recurrent_bias_G = layer.recurrent_weights()
        self._mask_BH = layer.state_dropout.mask_for(
            weight_GH.new_empty(sizes[0], layer.hidden_size)
        )
        if isinstance(layer, SummingLayer):
            assert bias_G is not None
            assert recurrent_bias_G is not None
            bias_G = bias_G + recurrent_bias_G
            if inputs_NE is None:
                weight_GX = torch.cat([weight_GE, weight_GH], dim=1)
                self._sums = StepProduct.linear(weight_GX, bias_G, sizes)
            else:
                products_NG = nn.functional.linear(inputs_NE, weight_GE, bias_G)
                self._sums = StepProduct(weight_GH.T, sizes, offsets=products_NG)
            return
        self._recurrent = StepProduct.linear(weight_GH, recurrent_bias_G, sizes)
        if inputs_NE is None:
            self._products = StepProduct.linear(weight_GE, bias_G, sizes)
        else:
            products_NG = at_least_float32(nn.functional.linear(inputs_NE, weight_GE, bias_G))
            self._prepared_BG = iter(layer.prepare(products_NG).split(list(sizes)))

    def advance(self, state: State, inputs_BE: Tensor | None = None) -> State:
        """Return the state after the next step; the inputs are given unless they are known."""
        layer, mask_BH = self._layer, self._mask_BH
        hidden_BH = state[0] if mask_BH is None else state[0] * mask_BH[: len(state[0])]
        if isinstance(layer, SummingLayer):
            parts = [hidden_BH] if inputs_BE is None else [inputs_BE, hidden_BH]
            return layer.step_by_sums(self._sums(*parts), state)
        if inputs_BE is None:
            prepared_BG = next(self._prepared_BG)
        else:
            prepared_BG = layer.prepare(at_least_float32(self._products(inputs_BE)))
        return layer.step(prepared_BG, self._recurrent(hidden_BH), state)


def first_rows(states_BH: Tensor, count: int) -> Tensor:
    """Return the first rows; where these are all, the same tensor, which costs autograd nothing."""
    return states_BH if count == len(states_BH) else states_BH[:count]


def at_least_float32(values: Tensor) -> Tensor:
    """Widen bfloat16 to float32; leave float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
