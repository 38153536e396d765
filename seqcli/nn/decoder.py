"""The decoder: target tokens read so far, and the source by attention, to output features."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqcli.nn.attention import ATTENTIONS, Memory
from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.recurrent import State
from seqcli.nn.stacks import STACKS


class DecoderState(NamedTuple):
    """The recurrent state of each layer: rows are hypotheses."""

    hidden_LBH: Tensor
    cell_LBH: Tensor

    def select(self, rows: Tensor) -> "DecoderState":
        return DecoderState(
            self.hidden_LBH.index_select(1, rows), self.cell_LBH.index_select(1, rows)
        )

    def layers(self) -> list[State]:
        return list(zip(self.hidden_LBH.unbind(0), self.cell_LBH.unbind(0), strict=True))


class Decoder(nn.Module):
    """LSTM layers, attention over the source, then a narrow feature vector (Luong et al., 2015).

    Attention stands after the recurrence, so that in training the whole target goes through each
    layer in one call. The features are as wide as the embeddings, with which they are compared.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        memory_size: int,
        num_layers: int,
        stack: str,
        attention: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.input_dropout = VariationalDropout(dropout)
        self.stack = STACKS[stack](
            input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, dropout=dropout
        )
        self.state_dropout = VariationalDropout(dropout)
        self.attention = ATTENTIONS[attention](query_size=hidden_size, memory_size=memory_size)
        self.combination = nn.Linear(hidden_size + memory_size, input_size)
        self.feature_dropout = VariationalDropout(dropout)
        self.bridge = nn.Linear(memory_size, 2 * num_layers * hidden_size)
        for layer in (self.combination, self.bridge):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.num_layers = num_layers

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        """Prepare the encoder's states for attention."""
        return Memory(states_BSH, self.attention.keys(states_BSH), mask_BS)

    def start(self, memory: Memory) -> DecoderState:
        """Return the state before the first token, from the mean of the source states."""
        lengths_B1 = memory.mask_BS.sum(1, keepdim=True)
        mean_BH = memory.states_BSH.sum(1) / lengths_B1.to(memory.states_BSH.dtype)
        start_BX = torch.tanh(self.bridge(mean_BH))
        start_LBH = start_BX.unflatten(1, (2 * self.num_layers, -1)).transpose(0, 1)
        return DecoderState(start_LBH[: self.num_layers], start_LBH[self.num_layers :])

    def forward(self, embedded_BTE: Tensor, memory: Memory, state: DecoderState) -> Tensor:
        """Read T target tokens from `state` on; return features_BTE."""
        states_BTH, _ = self.advance(embedded_BTE, state)
        context_BTH, _ = self.attention(states_BTH, memory)
        return self.combine(states_BTH, context_BTH)

    def advance(self, embedded_BTE: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Run the recurrent layers; return states_BTH, which are queries, and the new state."""
        states_BTH, layer_states = self.stack.advance(
            self.input_dropout(embedded_BTE), state.layers()
        )
        hidden, cell = zip(*layer_states, strict=True)
        return self.state_dropout(states_BTH), DecoderState(torch.stack(hidden), torch.stack(cell))

    def combine(self, states_BTH: Tensor, context_BTH: Tensor) -> Tensor:
        """Return features_BTE from states and what the attention read for them."""
        combined_BTE = self.combination(torch.cat([states_BTH, context_BTH], dim=2))
        features_BTE: Tensor = self.feature_dropout(torch.tanh(combined_BTE))
        return features_BTE
