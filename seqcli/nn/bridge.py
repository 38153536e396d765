"""Bridges: the state in which the decoder begins, made from what the encoder has read."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqcli.nn.cells import State


class Bridge(nn.Module, ABC):
    """A way from the encoder to a decoder whose layers have `num_parts` tensors as their state."""

    needs_last_state: ClassVar[bool] = False  # whether it reads `last`

    def __init__(
        self, *, memory_size: int, num_layers: int, num_parts: int, hidden_size: int
    ) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.num_parts = num_parts
        self.hidden_size = hidden_size

    @abstractmethod
    def forward(self, states_BSH: Tensor, mask_BS: Tensor, last: list[State]) -> list[State]:
        """Return the first state of each layer from the source states and each layer's last."""


class ZeroBridge(Bridge):
    """Begin with zeros: all that the decoder knows of the source comes by attention."""

    def forward(self, states_BSH: Tensor, mask_BS: Tensor, last: list[State]) -> list[State]:
        zero_BH = states_BSH.new_zeros(len(states_BSH), self.hidden_size)
        return [(zero_BH,) * self.num_parts] * self.num_layers


class CopyBridge(Bridge):
    """Begin where the encoder ended, layer by layer (Sutskever et al., 2014).

    Raises ValueError unless an encoder's layer is as wide as a decoder's.
    """

    needs_last_state = True

    def __init__(
        self, *, memory_size: int, num_layers: int, num_parts: int, hidden_size: int
    ) -> None:
        super().__init__(
            memory_size=memory_size,
            num_layers=num_layers,
            num_parts=num_parts,
            hidden_size=hidden_size,
        )
        if memory_size != hidden_size:
            raise ValueError(f"states of {memory_size} units copied to a decoder of {hidden_size}")

    def forward(self, states_BSH: Tensor, mask_BS: Tensor, last: list[State]) -> list[State]:
        return last


class DenseBridge(Bridge):
    """Begin with tanh(W mean + b) of the source states, as Nematus does (Sennrich et al., 2017)."""

    def __init__(
        self, *, memory_size: int, num_layers: int, num_parts: int, hidden_size: int
    ) -> None:
        super().__init__(
            memory_size=memory_size,
            num_layers=num_layers,
            num_parts=num_parts,
            hidden_size=hidden_size,
        )
        units = num_parts * num_layers * hidden_size
        self.weight = nn.Parameter(torch.empty(units, memory_size))
        self.bias = nn.Parameter(torch.zeros(units))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, states_BSH: Tensor, mask_BS: Tensor, last: list[State]) -> list[State]:
        lengths_B1 = mask_BS.sum(1, keepdim=True)
        mean_BH = states_BSH.sum(1) / lengths_B1.to(states_BSH.dtype)
        start_BX = torch.tanh(nn.functional.linear(mean_BH, self.weight, self.bias))
        parts_BPLH = start_BX.unflatten(1, (self.num_parts, self.num_layers, -1))
        return [tuple(parts_BPH.unbind(1)) for parts_BPH in parts_BPLH.unbind(2)]


BRIDGES: dict[str, type[Bridge]] = {
    "zero": ZeroBridge,
    "copy": CopyBridge,
    "dense": DenseBridge,
}
