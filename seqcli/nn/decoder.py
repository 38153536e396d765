"""The decoder: target tokens read so far, and the source by attention, to output features."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqcli.nn.attention import Attention, Memory
from seqcli.nn.bridge import Bridge
from seqcli.nn.cells import State
from seqcli.nn.dropout import VariationalDropout, with_mask
from seqcli.nn.stack import Stack
from seqcli.nn.stack_steps import StackSteps
from seqcli.nn.stepping import StepProduct


class DecoderState(NamedTuple):
    """The recurrent state of each layer, and what is fed to the next step: rows are hypotheses."""

    layers: list[State]
    fed_BE: Tensor | None = None  # features of the last step, where they are an input

    def select(self, rows: Tensor) -> "DecoderState":
        return DecoderState(
            [tuple(part.index_select(0, rows) for part in layer) for layer in self.layers],
            None if self.fed_BE is None else self.fed_BE.index_select(0, rows),
        )


class Decoder(nn.Module):
    """Recurrent layers, attention over the source, then a narrow feature vector.

    Luong et al. (2015). Attention stands after the recurrence, so that in training the whole target
    goes through each layer in one call. With `input_feeding` the features of a step are an input of
    the next one; then `stack` reads embeddings and features side by side, step by step.
    """

    def __init__(
        self,
        stack: Stack,
        attention: Attention,
        bridge: Bridge,
        *,
        feature_size: int,
        input_feeding: bool = False,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_dropout = VariationalDropout(input_dropout)
        self.stack = stack
        self.output_dropout = VariationalDropout(output_dropout)
        self.attention = attention
        self.combination = nn.Linear(stack.output_size + attention.context_size, feature_size)
        nn.init.xavier_uniform_(self.combination.weight)
        nn.init.zeros_(self.combination.bias)
        self.feature_dropout = VariationalDropout(output_dropout)
        self.bridge = bridge
        self.input_feeding = input_feeding

    def start(self, states_BSH: Tensor, mask_BS: Tensor, last: list[State]) -> DecoderState:
        """Return the state before the first token, from what the encoder returned."""
        layers = self.bridge(states_BSH, mask_BS, last)
        if not self.input_feeding:
            return DecoderState(layers)
        features = self.combination.out_features
        return DecoderState(layers, states_BSH.new_zeros(len(states_BSH), features))

    def forward(
        self, embedded_BTE: Tensor, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState]:
        """Read T target tokens from `state` on; return features_BTE and the new state."""
        if self.input_feeding:
            return self._forward_by_steps(embedded_BTE, memory, state)
        states_BTH, state = self.advance(embedded_BTE, state)
        context_BTH, _ = self.attention(states_BTH, memory)
        return self.combine(states_BTH, context_BTH), state

    def advance(self, embedded_BTE: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Run the recurrent layers; return states_BTH, which are queries, and the new state.

        With input feeding, T must be 1, and the caller gives the features to `feed`.
        """
        inputs_BTE = self.input_dropout(embedded_BTE)
        if state.fed_BE is not None:
            inputs_BTE = torch.cat([inputs_BTE, state.fed_BE.unsqueeze(1)], dim=2)
        states_BTH, layers = self.stack(inputs_BTE, state.layers)
        return self.output_dropout(states_BTH), state._replace(layers=layers)

    def feed(self, state: DecoderState, features_BE: Tensor) -> DecoderState:
        """Return the state for the next step, which reads these features if it reads any."""
        return state._replace(fed_BE=features_BE) if self.input_feeding else state

    def combine(self, states_BTH: Tensor, context_BTH: Tensor) -> Tensor:
        """Return features_BTE from states and what the attention read for them."""
        combined_BTE = self.combination(torch.cat([states_BTH, context_BTH], dim=2))
        features_BTE: Tensor = self.feature_dropout(torch.tanh(combined_BTE))
        return features_BTE

    def _forward_by_steps(
        self, embedded_BTE: Tensor, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState]:
        """Do as `advance`, attention and `combine` do step by step, with the masks of one pass."""
        layers, fed_BE = state
        assert fed_BE is not None  # `start` gives it
        batch_size, num_steps, _ = embedded_BTE.shape
        steps = StackSteps(self.stack, fed_BE, num_steps)
        combination = StepProduct.linear(
            self.combination.weight, self.combination.bias, [batch_size] * num_steps
        )
        attend = self.attention.by_steps(memory, num_steps)
        query_like_BH = fed_BE.new_empty(batch_size, self.stack.output_size)
        output_mask_BH = self.output_dropout.mask_for(query_like_BH)
        feature_mask_BE = self.feature_dropout.mask_for(fed_BE.to(combination.dtype))
        features = []
        for input_BE in self.input_dropout(embedded_BTE).unbind(1):
            output_BH, layers = steps.advance(torch.cat([input_BE, fed_BE], dim=1), layers)
            query_BH = with_mask(output_BH, output_mask_BH)
            combined_BE = combination(query_BH, attend(query_BH))
            fed_BE = with_mask(torch.tanh(combined_BE), feature_mask_BE)
            features.append(fed_BE)
        return torch.stack(features, dim=1), DecoderState(layers, fed_BE)
