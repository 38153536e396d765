"""Layers on top of each other, each reading the states of the one below."""

from torch import Tensor, nn

from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.recurrent import BidirectionalLSTMLayer, LSTMLayer, State


class PlainStack(nn.Module):
    """A stack of LSTM layers, unidirectional or bidirectional.

    Same-mask dropout is applied between layers. `output_size` is the width of the states: twice
    `hidden_size` where both directions are read.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.output_size = 2 * hidden_size if bidirectional else hidden_size
        layer_class = BidirectionalLSTMLayer if bidirectional else LSTMLayer
        self.layers = nn.ModuleList(
            layer_class(
                input_size=self.output_size if depth else input_size, hidden_size=hidden_size
            )
            for depth in range(num_layers)
        )
        self.dropout = VariationalDropout(dropout)

    def combine(self, below_BSH: Tensor, states_BSH: Tensor) -> Tensor:
        """Return what goes up from a layer that read `below_BSH` and gave `states_BSH`."""
        return states_BSH

    def encode(self, inputs_BSE: Tensor, mask_BS: Tensor) -> Tensor:
        """Read whole sentences, in both directions if the stack has them; return states_BSH."""
        below_BSH = inputs_BSE
        for depth, layer in enumerate(self.layers):
            if depth:
                below_BSH = self.dropout(below_BSH)
            states_BSH = layer(below_BSH, mask_BS) if self.bidirectional else layer(below_BSH)[0]
            below_BSH = self.combine(below_BSH, states_BSH)
        return below_BSH

    def advance(
        self, inputs_BTE: Tensor, state: list[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Read forward from `state` (a pair a layer; zero if None); return states and new state.

        Only a unidirectional stack can: the other would have to read what is yet to be written.
        """
        below_BTH, last = inputs_BTE, []
        for depth, layer in enumerate(self.layers):
            if depth:
                below_BTH = self.dropout(below_BTH)
            states_BTH, layer_state = layer(below_BTH, state[depth] if state else None)
            below_BTH = self.combine(below_BTH, states_BTH)
            last.append(layer_state)
        return below_BTH, last
