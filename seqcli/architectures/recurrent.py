"""The settings of recurrent stacks, and what is built by them."""

import math
from typing import ClassVar

from torch import nn

from seqcli.config import (
    Config,
    require_fraction,
    require_one_of,
    require_positive,
)
from seqcli.errors import ConfigError
from seqcli.nn.cells import CELLS
from seqcli.nn.encoder import Encoder
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stack import Stack
from seqcli.nn.stacks import STACKS

MOST_LAYERS = 16


class StackConfig(Config):
    """Sizes and choices of a recurrent stack: a section such as `model.encoder`.

    What is None takes the value of its comment; a setting of another stack is refused.
    """

    section: ClassVar[str]

    cell: str = "lstm"
    direction: str = "forward"
    size: int = 256  # units in each direction
    layers: int = 1
    stack: str = "residual"
    skip_from: int | None = None  # 2; the lowest layer, counted from 1, with a way around it
    carry_bias: float | None = None  # 2.0; highway: how far gates carry the input at the start
    projection: bool = False  # a linear map brings the input to the stack's width first
    input_dropout: float | None = None  # model.dropout; of what the lowest layer reads
    state_dropout: float = 0.0  # of what a step reads of the step before; leaves the fast kernels
    output_dropout: float | None = None  # model.dropout; of what the highest layer gives

    def __post_init__(self) -> None:
        name = self.section
        require_one_of(f"{name}.cell", self.cell, CELLS)
        require_one_of(f"{name}.direction", self.direction, DIRECTIONS)
        require_one_of(f"{name}.stack", self.stack, STACKS)
        require_positive(f"{name}.size", self.size)
        if not 1 <= self.layers <= MOST_LAYERS:
            raise ConfigError(f"{name}.layers must be from 1 to {MOST_LAYERS}, not {self.layers}")
        for dropout in ("input_dropout", "state_dropout", "output_dropout"):
            require_fraction(f"{name}.{dropout}", getattr(self, dropout) or 0.0)
        for option in ("skip_from", "carry_bias"):
            if getattr(self, option) is not None and option not in STACKS[self.stack].options:
                having = [kind for kind, wiring in STACKS.items() if option in wiring.options]
                raise ConfigError(
                    f"{name}.{option} has no effect where {name}.stack is {self.stack!r}",
                    fix=f"Leave it out, or set {name}.stack to {' or '.join(map(repr, having))}",
                )
        if self.skip_from is not None and not 1 <= self.skip_from <= self.layers:
            raise ConfigError(
                f"{name}.skip_from must be from 1 to {name}.layers, which is {self.layers}, not "
                f"{self.skip_from}",
                why="no layer would have a way around it",
            )
        if self.carry_bias is not None and not math.isfinite(self.carry_bias):
            raise ConfigError(f"{name}.carry_bias must be a finite number, not {self.carry_bias}")

    @property
    def output_size(self) -> int:
        """The width of the states: that of both directions together."""
        return self.size * (2 if self.direction == "bidirectional" else 1)

    def summary(self) -> str:
        """Describe the stack in a few words."""
        widths = (
            f"{self.layers} x {self.size}{' each way' if self.direction == 'bidirectional' else ''}"
        )
        wiring = f" {self.stack}" if self.layers > 1 else ""
        return f"{widths}{wiring} {self.cell}"

    def require_width(self, input_size: int, description: str) -> None:
        """Refuse to lead around the lowest layer where it reads another width than it gives.

        `description` says what the input is.
        """
        if self.skip_from == 1 and not self.projection and input_size != self.output_size:
            raise ConfigError(
                f"{self.section}.skip_from cannot be 1 where {description} has {input_size} units "
                f"and the layer {self.output_size}",
                why="what leads around a layer must be as wide as the layer",
                fix=f"Set {self.section}.projection to true, make the widths equal, or skip from 2",
            )


class EncoderConfig(StackConfig):
    """A stack that reads a whole text: the section `model.encoder` of a recipe."""

    section: ClassVar[str] = "model.encoder"

    direction: str = "bidirectional"
    layers: int = 2


class DecoderConfig(StackConfig):
    """A stack that writes text: the section `model.decoder` of a recipe."""

    section: ClassVar[str] = "model.decoder"

    size: int = 512

    def __post_init__(self) -> None:
        super(DecoderConfig, self).__post_init__()  # noqa: UP008  # msgspec makes the class anew
        if self.direction != "forward":
            raise ConfigError(
                f"model.decoder.direction cannot be {self.direction!r}",
                why="it writes from left to right: it would read the future that it must generate",
                fix="Leave it out; only what reads a whole text, an encoder, can be bidirectional",
            )


def build_stack(config: StackConfig, *, input_size: int, dropout: float) -> Stack:
    """Build the untrained stack; `dropout` is that between layers."""
    options = {
        option: value
        for option in STACKS[config.stack].options
        if (value := getattr(config, option)) is not None
    }
    return Stack(
        input_size=input_size,
        hidden_size=config.size,
        num_layers=config.layers,
        cell=config.cell,
        direction=config.direction,
        kind=config.stack,
        options=options,
        projection=config.projection,
        dropout=dropout,
        state_dropout=config.state_dropout,
    )


def build_encoder(config: EncoderConfig, *, input_size: int, dropout: float) -> Encoder:
    """Build the untrained stack with the dropout below and above it."""
    return Encoder(
        build_stack(config, input_size=input_size, dropout=dropout),
        input_dropout=value_or(config.input_dropout, dropout),
        output_dropout=value_or(config.output_dropout, dropout),
    )


def value_or(value: float | None, default: float) -> float:
    """Return a setting that is not left to its default."""
    return default if value is None else value


def embedding_table(size: int, width: int) -> nn.Embedding:
    """Entries of unit length on average, as an output layer wants; inputs are scaled up."""
    embedding = nn.Embedding(size, width)
    nn.init.normal_(embedding.weight, std=width**-0.5)
    return embedding
