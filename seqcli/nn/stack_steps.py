"""A stack of layers run one step at a time, for a decoder that reads what it has just written."""

import torch
from torch import Tensor, nn

from seqcli.nn.cells import RecurrentLayer, State, at_least_float32
from seqcli.nn.dropout import with_mask
from seqcli.nn.stack import Stack
from seqcli.nn.stepping import StepLinear


class StackSteps:
    """One pass of a forward stack over T steps.

    At each step `fed_BF` stands beside an input that is known from the start. `stack` must have
    been built for inputs of E + F units. The share of the known inputs in the lowest products is
    computed at once, and so are the gradients of the layers' input and recurrent weights.
    """

    def __init__(self, stack: Stack, inputs_BTE: Tensor) -> None:
        self._stack = stack
        self._layers: list[RecurrentLayer] = []
        for layer in stack.layers:
            assert isinstance(layer, RecurrentLayer)  # a decoder reads forward
            self._layers.append(layer)
        self._inputs_BE = iter(inputs_BTE.unbind(1))
        known, num_steps = inputs_BTE.shape[2], inputs_BTE.shape[1]
        weight_OI, bias_O = self._lowest_weights()
        known_BTO = nn.functional.linear(inputs_BTE, weight_OI[:, :known], bias_O)
        self.dtype = known_BTO.dtype  # of all products
        self._known_BO = iter(at_least_float32(known_BTO).unbind(1))

        def step_linear(weight: Tensor, bias: Tensor | None) -> StepLinear:
            return StepLinear(
                weight,
                bias,
                num_steps=num_steps,
                batch_size=len(inputs_BTE),
                dtype=self.dtype,
            )

        self._fed = step_linear(weight_OI[:, known:], None)
        self._inputs = [step_linear(*layer.input_weights()) for layer in self._upper_layers()]
        self._recurrent = [step_linear(*layer.recurrent_weights()) for layer in self._layers]
        self._input_masks = [
            stack.dropout.mask_for(inputs_BTE.new_empty(len(inputs_BTE), layer.input_size))
            for layer in self._layers[1:]
        ]
        self._state_masks = [
            layer.state_dropout.mask_for(inputs_BTE.new_empty(len(inputs_BTE), layer.hidden_size))
            for layer in self._layers
        ]

    def advance(self, fed_BF: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Go one step; return the top layer's output_BH and the new state."""
        with torch.autocast(fed_BF.device.type, enabled=False):
            below_BO = next(self._known_BO) + self._fed(fed_BF)
            products_BG = None if self._stack.projection else below_BO
            if products_BG is not None:
                below_BO = torch.cat([next(self._inputs_BE), fed_BF], dim=1)
            last = []
            inputs = iter(self._inputs)
            for depth, layer in enumerate(self._layers):
                if products_BG is None:
                    products_BG = next(inputs)(self._dropped(depth, below_BO))
                read_BH = with_mask(state[depth][0], self._state_masks[depth])
                products_BG = layer.prepare(at_least_float32(products_BG))
                new = layer.step(products_BG, self._recurrent[depth](read_BH), state[depth])
                below_BO = self._stack.wiring.rise(depth, below_BO, new[0])
                last.append(new)
                products_BG = None
            return below_BO, last

    def _lowest_weights(self) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias of the first map that the inputs go through."""
        projection = self._stack.projection
        if projection is not None:
            return projection.weight, projection.bias
        return self._layers[0].input_weights()

    def _upper_layers(self) -> list[RecurrentLayer]:
        """The layers whose inputs are known step by step only."""
        return self._layers if self._stack.projection is not None else self._layers[1:]

    def _dropped(self, depth: int, below_BO: Tensor) -> Tensor:
        return with_mask(below_BO, self._input_masks[depth - 1]) if depth else below_BO
