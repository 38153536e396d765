"""The encoder: embedded source tokens to states that a decoder attends to."""

from torch import Tensor, nn

from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.stacks import STACKS


class Encoder(nn.Module):
    """A bidirectional recurrent encoder."""

    def __init__(
        self, *, input_size: int, hidden_size: int, num_layers: int, stack: str, dropout: float
    ) -> None:
        super().__init__()
        self.input_dropout = VariationalDropout(dropout)
        self.stack = STACKS[stack](
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            bidirectional=True,
        )
        self.output_dropout = VariationalDropout(dropout)
        self.output_size = self.stack.output_size

    def forward(self, embedded_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        """Return states_BSH; those of padding are zero."""
        states_BSH = self.stack.encode(self.input_dropout(embedded_BSE), mask_BS)
        kept_BSH: Tensor = self.output_dropout(states_BSH)
        return kept_BSH * mask_BS.unsqueeze(2)
