"""Recurrent layers as a good hand writes them in plain PyTorch: the yardstick of ours.

Packed `nn.LSTM` where there is one; where there is none, a loop over cells.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class PackedLSTM(nn.Module):
    """`nn.LSTM` over packed sequences."""

    def __init__(self, *, input_size: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def forward(self, inputs_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            inputs_BSE, mask_BS.sum(1), batch_first=True, enforce_sorted=False
        )
        states_BSH, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return states_BSH


class LayerNormCellLoop(nn.Module):
    """Ba et al. (2016), equations 20 to 22, one cell after the other."""

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_map = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.recurrent_map = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.input_norm = nn.LayerNorm(4 * hidden_size)
        self.recurrent_norm = nn.LayerNorm(4 * hidden_size)
        self.cell_norm = nn.LayerNorm(hidden_size)

    def forward(self, inputs_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        hidden_BH = cell_BH = inputs_BSE.new_zeros(len(inputs_BSE), self.hidden_size)
        states = []
        for input_BE in inputs_BSE.unbind(1):
            sums_BG = self.input_norm(self.input_map(input_BE))
            sums_BG = sums_BG + self.recurrent_norm(self.recurrent_map(hidden_BH))
            input_BH, forget_BH, candidate_BH, output_BH = sums_BG.chunk(4, dim=1)
            kept_BH = torch.sigmoid(forget_BH) * cell_BH
            cell_BH = kept_BH + torch.sigmoid(input_BH) * torch.tanh(candidate_BH)
            hidden_BH = torch.sigmoid(output_BH) * torch.tanh(self.cell_norm(cell_BH))
            states.append(hidden_BH)
        return torch.stack(states, dim=1)


class InputFeedingLoop(nn.Module):
    """`nn.LSTMCell`, attention and combination for one token after the other (Luong et al., 2015).

    The keys of the source are made once.
    """

    def __init__(self, *, embedding_size: int, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.cell = nn.LSTMCell(2 * embedding_size, hidden_size)
        self.keys = nn.Linear(memory_size, hidden_size, bias=False)
        self.combination = nn.Linear(hidden_size + memory_size, embedding_size)

    def forward(
        self,
        embedded_BTE: Tensor,
        memory_BSH: Tensor,
        mask_BS: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        keys_BSH = self.keys(memory_BSH)
        fed_BE = embedded_BTE.new_zeros(len(embedded_BTE), self.embedding_size)
        features = []
        for embedded_BE in embedded_BTE.unbind(1):
            state = self.cell(torch.cat([embedded_BE, fed_BE], dim=1), state)
            query_BH = state[0]
            scores_BS = (keys_BSH @ query_BH.unsqueeze(2)).squeeze(2) * keys_BSH.shape[2] ** -0.5
            weights_BS = scores_BS.masked_fill(~mask_BS, -torch.inf).softmax(1)
            context_BH = (weights_BS.unsqueeze(1) @ memory_BSH).squeeze(1)
            fed_BE = torch.tanh(self.combination(torch.cat([query_BH, context_BH], dim=1)))
            features.append(fed_BE)
        return torch.stack(features, dim=1)


class SeparateLSTMs(nn.Module):
    """A residual encoder of `nn.LSTM` layers, each called by itself on padded sequences."""

    def __init__(self, *, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.LSTM(
                2 * hidden_size if depth else input_size,
                hidden_size,
                batch_first=True,
                bidirectional=True,
            )
            for depth in range(num_layers)
        )

    def forward(self, inputs_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        below_BSH = inputs_BSE
        for depth, layer in enumerate(self.layers):
            states_BSH, _ = layer(below_BSH)
            below_BSH = below_BSH + states_BSH if depth else states_BSH
        return below_BSH
