"""How a language model, of whatever kind, writes text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from seqcli.config import Config, require_positive
from seqcli.errors import ConfigError
from seqcli.translator import Translation


class GenerationConfig(Config):
    """How text is drawn from a language model: the section `decoding` of its recipe."""

    temperature: float = 1.0  # below 1: the probable becomes more probable
    top_k: int | None = None  # all; draw from so many most probable tokens; 1: greedy
    top_p: float = 1.0  # draw from the fewest tokens that together are as probable as this
    max_tokens: int = 200  # of a continuation, the end of sentence included
    batch_sentences: int = 64

    def __post_init__(self) -> None:
        for name in ("temperature", "max_tokens", "batch_sentences"):
            require_positive(f"decoding.{name}", getattr(self, name))
        if not 0 < self.top_p <= 1:
            raise ConfigError(
                f"decoding.top_p must be more than 0 and at most 1, not {self.top_p}",
                why="it is the share of the probability that is drawn from",
                fix="Set decoding.top_p or --top-p to 1 to draw from all",
            )
        if self.top_k is not None:
            require_positive("decoding.top_k", self.top_k)


class LineGenerator(Protocol):
    """A language model that writes: lines are gone on with in the order they come."""

    @property
    def max_tokens(self) -> int:
        """How many tokens a continuation may have, the end of sentence included."""
        ...

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Go on with lines; an empty one is written from nothing."""
        ...

    def generate(self, groups: Iterable[Sequence[str]]) -> Iterator[Translation]:
        """Do the same with groups of lines, each as soon as it comes."""
        ...
