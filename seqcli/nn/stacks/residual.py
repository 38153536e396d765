"""Layers that add to what they read, so that gradient reaches the lowest one undiminished."""

from torch import Tensor

from seqcli.nn.stacks.plain import PlainStack


class ResidualStack(PlainStack):
    """Each layer's output is added to its input wherever both are equally wide.

    He et al. (2016); for recurrent translation Wu et al. (2016, GNMT).
    """

    def combine(self, below_BSH: Tensor, states_BSH: Tensor) -> Tensor:
        if below_BSH.shape == states_BSH.shape:
            return below_BSH + states_BSH
        return states_BSH
