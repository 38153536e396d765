"""Stacks of recurrent layers: how one layer's output becomes the next one's input."""

from seqcli.nn.stacks.plain import PlainStack
from seqcli.nn.stacks.residual import ResidualStack

STACKS: dict[str, type[PlainStack]] = {"plain": PlainStack, "residual": ResidualStack}
