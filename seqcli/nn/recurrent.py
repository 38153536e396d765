"""Reading directions: forward, backward, or both at once.

The backward direction reads each sentence reversed inside its own length, so that padding always
comes last: a padded bidirectional layer is exact.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqcli.nn.cells import RecurrentLayer, State
from seqcli.nn.masks import Reading, reverse_time


class BackwardLayer(nn.Module):
    """A layer that reads from the last token to the first."""

    def __init__(self, make_layer: Callable[[], RecurrentLayer]) -> None:
        super().__init__()
        self.backwards = make_layer()

    def forward(
        self, inputs_BSE: Tensor, state: State | None, reading: Reading
    ) -> tuple[Tensor, State]:
        """Return states_BSH in the order of the inputs, and the state after the first token."""
        reversed_BSE = reverse_time(inputs_BSE, reading.reversal_BS)
        states_BSH, last = self.backwards(reversed_BSE, state, reading)
        return reverse_time(states_BSH, reading.reversal_BS), last


class BidirectionalLayer(nn.Module):
    """Two layers, one for each reading direction (Schuster and Paliwal, 1997).

    Outputs and last states are those of both, side by side: twice as wide as each layer.
    """

    def __init__(self, make_layer: Callable[[], RecurrentLayer]) -> None:
        super().__init__()
        self.forwards = make_layer()
        self.backwards = make_layer()

    def forward(
        self, inputs_BSE: Tensor, state: State | None, reading: Reading
    ) -> tuple[Tensor, State]:
        """Return states_BSH and last states with H twice a layer's; `state` must be None."""
        if state is not None:
            raise ValueError("a layer of both directions cannot start from a state")
        forward_BSH, forward_last = self.forwards(inputs_BSE, None, reading)
        reversed_BSE = reverse_time(inputs_BSE, reading.reversal_BS)
        backward_BSH, backward_last = self.backwards(reversed_BSE, None, reading)
        states_BSH = torch.cat([forward_BSH, reverse_time(backward_BSH, reading.reversal_BS)], 2)
        pairs = zip(forward_last, backward_last, strict=True)
        return states_BSH, tuple(torch.cat(pair, dim=1) for pair in pairs)


DIRECTIONS: dict[str, Callable[[Callable[[], RecurrentLayer]], nn.Module]] = {
    "forward": lambda make_layer: make_layer(),
    "backward": BackwardLayer,
    "bidirectional": BidirectionalLayer,
}
