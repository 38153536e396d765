"""Layers that read everything below them."""

import torch
from torch import Tensor

from seqcli.nn.stacks.plain import PlainWiring


class DenseWiring(PlainWiring):
    """Each layer reads the inputs and the states of all layers below, side by side.

    Huang et al. (2017); for recurrent layers Godin et al. (2017), for translation Shen et al.
    (2018). Unlike theirs, the output is that of the top layer alone.
    """

    def input_size(self, depth: int) -> int:
        return self.bottom_size + depth * self.output_size

    def rise(self, depth: int, below: Tensor, states: Tensor) -> Tensor:
        if depth + 1 == self.num_layers:
            return states
        return torch.cat([below.to(states.dtype), states], dim=-1)
