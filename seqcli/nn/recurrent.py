"""Recurrent layers over padded batches, in one or two directions.

Sequences are padded, never packed: packed ones miss oneDNN's and some of cuDNN's fast kernels.
A padded bidirectional layer is exact all the same when its backward direction reads each sentence
reversed inside its own length, so that padding always comes last.
"""

import math

import torch
from torch import Tensor, nn

from seqcli.nn.masks import reorder_time, reversal_of

State = tuple[Tensor, Tensor]  # hidden_BH, cell_BH


class LSTMLayer(nn.Module):
    """One LSTM layer that reads forward (Hochreiter and Schmidhuber, 1997; forget gate 2000)."""

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        initialize_lstm(self.lstm)

    def forward(self, inputs_BSE: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return states_BSH and the state after the last position, padded or not."""
        carried = None if state is None else (state[0].unsqueeze(0), state[1].unsqueeze(0))
        states_BSH, (hidden_1BH, cell_1BH) = self.lstm(inputs_BSE, carried)
        return states_BSH, (hidden_1BH[0], cell_1BH[0])


class BidirectionalLSTMLayer(nn.Module):
    """Two LSTMs, one for each reading direction (Schuster and Paliwal, 1997).

    `hidden_size` is the width of each direction; the output, their concatenation, is twice that.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.forwards = LSTMLayer(input_size=input_size, hidden_size=hidden_size)
        self.backwards = LSTMLayer(input_size=input_size, hidden_size=hidden_size)

    def forward(self, inputs_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        """Return states_BSH with H = 2 * hidden_size; states of padding are meaningless."""
        reversal_BS = reversal_of(mask_BS)
        forward_BSH, _ = self.forwards(inputs_BSE)
        backward_BSH, _ = self.backwards(reorder_time(inputs_BSE, reversal_BS))
        return torch.cat([forward_BSH, reorder_time(backward_BSH, reversal_BS)], dim=2)


def initialize_lstm(lstm: nn.LSTM) -> None:
    """Orthogonal recurrent and Xavier input weights, zero biases but the forget gate's, which is 1.

    A forget bias of 1 lets gradient through many steps from the start (Gers et al., 2000;
    Jozefowicz et al., 2015).
    """
    size = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.data.split(size):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            bound = math.sqrt(6 / (parameter.shape[1] + size))
            nn.init.uniform_(parameter, -bound, bound)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                parameter.data[size : 2 * size] = 1
