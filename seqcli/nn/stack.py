"""A stack of recurrent layers: of any cell, in any direction, wired in any way."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from seqcli.nn.cells import CELLS, RecurrentLayer, State
from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.masks import Reading
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stacks import STACKS


class Stack(nn.Module):
    """Recurrent layers on top of each other.

    Same-mask dropout is applied to what a layer reads from the one below, never to what goes
    around a layer. `output_size` is the width of the states: twice `hidden_size` where both
    directions are read. With a `projection` the inputs are first brought to that width by a linear
    map. `options` are those of the wiring `kind`.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        cell: str = "lstm",
        direction: str = "forward",
        kind: str = "plain",
        options: Mapping[str, float] | None = None,
        projection: bool = False,
        dropout: float = 0.0,
        state_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = hidden_size * (2 if direction == "bidirectional" else 1)
        self.projection = nn.Linear(input_size, self.output_size) if projection else None
        self.wiring = STACKS[kind](
            bottom_size=self.output_size if projection else input_size,
            output_size=self.output_size,
            num_layers=num_layers,
            **(options or {}),
        )

        def layer_at(depth: int) -> Callable[[], RecurrentLayer]:
            return lambda: CELLS[cell](
                input_size=self.wiring.input_size(depth),
                hidden_size=hidden_size,
                state_dropout=state_dropout,
            )

        self.layers = nn.ModuleList(
            DIRECTIONS[direction](layer_at(depth)) for depth in range(num_layers)
        )
        self.dropout = VariationalDropout(dropout)
        self.state_names = CELLS[cell].state_names

    def forward(
        self,
        inputs_BSE: Tensor,
        state: list[State] | None = None,
        reading: Reading | None = None,
    ) -> tuple[Tensor, list[State]]:
        """Read from `state` (an entry a layer; zero if None); return states_BSH and the last ones.

        All directions but forward need a `reading`.
        """
        below_BSH = inputs_BSE if self.projection is None else self.projection(inputs_BSE)
        last = []
        for depth, layer in enumerate(self.layers):
            read_BSH = self.dropout(below_BSH) if depth else below_BSH
            states_BSH, layer_last = layer(read_BSH, state[depth] if state else None, reading)
            below_BSH = self.wiring.rise(depth, below_BSH, states_BSH)
            last.append(layer_last)
        return below_BSH, last
