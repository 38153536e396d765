"""Wirings of a stack: how the output of one recurrent layer becomes the input of the next."""

from seqcli.nn.stacks.dense import DenseWiring
from seqcli.nn.stacks.highway import HighwayWiring
from seqcli.nn.stacks.plain import PlainWiring
from seqcli.nn.stacks.residual import ResidualWiring

STACKS: dict[str, type[PlainWiring]] = {
    "plain": PlainWiring,
    "residual": ResidualWiring,
    "highway": HighwayWiring,
    "dense": DenseWiring,
}
