"""A stack of layers run one step at a time, for a decoder that reads what it has just written."""

import torch
from torch import Tensor

from seqcli.nn.dropout import with_mask
from seqcli.nn.layer import LayerSteps, RecurrentLayer, State
from seqcli.nn.stack import Stack
from seqcli.nn.stepping import StepProduct


class StackSteps:
    """One pass of a forward stack over T steps; the gradients of weights are made at once."""

    def __init__(self, stack: Stack, like_BE: Tensor, num_steps: int) -> None:
        self._wiring = stack.wiring
        sizes = [len(like_BE)] * num_steps
        self._projection = None
        if stack.projection is not None:
            weight_HE, bias_H = stack.projection.weight, stack.projection.bias
            self._projection = StepProduct.linear(weight_HE, bias_H, sizes)
        self._layers: list[LayerSteps] = []
        self._masks: list[Tensor | None] = []  # of what the layers read from the ones below
        for depth, layer in enumerate(stack.layers):
            assert isinstance(layer, RecurrentLayer)  # a decoder reads forward
            self._layers.append(LayerSteps(layer, sizes))
            read_BE = like_BE.new_empty(len(like_BE), layer.input_size)
            self._masks.append(stack.dropout.mask_for(read_BE) if depth else None)

    def advance(self, inputs_BE: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Go one step; return the top layer's output_BH and the new state."""
        with torch.autocast(inputs_BE.device.type, enabled=False):
            below_BH = inputs_BE if self._projection is None else self._projection(inputs_BE)
            last = []
            for depth, (layer, mask_BE) in enumerate(zip(self._layers, self._masks, strict=True)):
                new = layer.advance(state[depth], with_mask(below_BH, mask_BE))
                below_BH = self._wiring.rise(depth, below_BH, new[0])
                last.append(new)
            return below_BH, last
