"""Layers that add to what they read, so that gradient reaches the lowest one undiminished."""

from typing import ClassVar

from torch import Tensor

from seqcli.nn.stacks.plain import PlainWiring


class ResidualWiring(PlainWiring):
    """From the layer `skip_from` on (1 is the lowest), a layer's output is added to its input.

    He et al. (2016); for recurrent translation Wu et al. (2016, GNMT), who begin with the third.
    Raises ValueError where the lowest layer is to be skipped and reads another width than it gives.
    """

    options: ClassVar[tuple[str, ...]] = ("skip_from",)

    def __init__(
        self, *, bottom_size: int, output_size: int, num_layers: int, skip_from: int = 2
    ) -> None:
        super().__init__(bottom_size=bottom_size, output_size=output_size, num_layers=num_layers)
        if skip_from == 1 and bottom_size != output_size:
            raise ValueError(f"the lowest layer reads {bottom_size} and gives {output_size} units")
        self.skip_from = skip_from

    def skips(self, depth: int) -> bool:
        """Whether the layer at `depth` has a way around it."""
        return depth + 1 >= self.skip_from

    def rise(self, depth: int, below: Tensor, states: Tensor) -> Tensor:
        return below + states if self.skips(depth) else states
