"""The encoder: embedded source tokens to states that a decoder attends to."""

from torch import Tensor, nn

from seqcli.nn.cells import State
from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack


class Encoder(nn.Module):
    """A stack of recurrent layers with same-mask dropout below and above it."""

    def __init__(self, stack: Stack, *, input_dropout: float, output_dropout: float) -> None:
        super().__init__()
        self.input_dropout = VariationalDropout(input_dropout)
        self.stack = stack
        self.output_dropout = VariationalDropout(output_dropout)

    def forward(self, embedded_BSE: Tensor, reading: Reading) -> tuple[Tensor, list[State]]:
        """Return states_BSH, zero for padding, and the last state of each layer (see Stack)."""
        states_BSH, last = self.stack(self.input_dropout(embedded_BSE), None, reading)
        kept_BSH: Tensor = self.output_dropout(states_BSH)
        return kept_BSH * reading.mask_BS.unsqueeze(2), last
