"""Layers with a gate between what they give and what they read."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from seqcli.nn.stacks.residual import ResidualWiring


class HighwayWiring(ResidualWiring):
    """From the layer `skip_from` on: y = c x + (1 - c) layer(x), c = sigmoid(W x + carry_bias).

    Srivastava et al. (2015), here around a recurrent layer. (Zhang et al., 2016, lead around the
    LSTM's cell instead.) The higher the bias, the more of its input a layer carries at the start.
    ValueError as for the residual wiring.
    """

    options: ClassVar[tuple[str, ...]] = ("skip_from", "carry_bias")

    def __init__(
        self,
        *,
        bottom_size: int,
        output_size: int,
        num_layers: int,
        skip_from: int = 2,
        carry_bias: float = 2.0,
    ) -> None:
        super().__init__(
            bottom_size=bottom_size,
            output_size=output_size,
            num_layers=num_layers,
            skip_from=skip_from,
        )
        self.carry_gates = nn.ModuleDict(
            {
                str(depth): _carry_gate(output_size, carry_bias)
                for depth in range(num_layers)
                if self.skips(depth)
            }
        )

    def rise(self, depth: int, below: Tensor, states: Tensor) -> Tensor:
        if not self.skips(depth):
            return states
        carry = torch.sigmoid(self.carry_gates[str(depth)](below))
        return torch.lerp(states, below.to(states.dtype), carry.to(states.dtype))


def _carry_gate(size: int, bias: float) -> nn.Linear:
    gate = nn.Linear(size, size)
    nn.init.xavier_uniform_(gate.weight)
    nn.init.constant_(gate.bias, bias)
    return gate
