"""The plain wiring, and what every wiring says: what a layer reads and what goes up from it."""

from typing import ClassVar

from torch import Tensor, nn


class PlainWiring(nn.Module):
    """Each layer reads the states of the one below, and nothing else.

    The lowest layer reads `bottom_size` units, every layer gives `output_size`. The layer at depth
    0 is the lowest. The base of the other wirings.
    """

    options: ClassVar[tuple[str, ...]] = ()  # settings of its own

    def __init__(self, *, bottom_size: int, output_size: int, num_layers: int) -> None:
        super().__init__()
        self.bottom_size = bottom_size
        self.output_size = output_size
        self.num_layers = num_layers

    def input_size(self, depth: int) -> int:
        """Return the width of what the layer at `depth` reads."""
        return self.output_size if depth else self.bottom_size

    def rise(self, depth: int, below: Tensor, states: Tensor) -> Tensor:
        """Return what goes up from the layer at `depth` that read `below` and gave `states`.

        Both have their units on the last axis, whatever the axes before it.
        """
        return states
