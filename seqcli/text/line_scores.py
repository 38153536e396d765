"""How probable lines of text are to a language model, of whatever kind."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

MOST_NATS = 700.0  # whose exponential is still a number


@dataclass(frozen=True, slots=True)
class LineScore:
    """How probable a line is: in all, and token by token, the end of sentence included."""

    text: str
    tokens: tuple[str, ...]  # the last one is the end of sentence
    nats: tuple[float, ...]  # by which each token surprises: its negative log-probability

    @property
    def log_probability(self) -> float:
        """That of the whole line, in nats."""
        return -math.fsum(self.nats)

    @property
    def perplexity(self) -> float:
        """The perplexity a token."""
        return _perplexity(-self.log_probability / len(self.nats))


@dataclass(frozen=True, slots=True)
class TextScore:
    """The sum over the lines of a text."""

    lines: int = 0
    tokens: int = 0  # ends of sentences included
    characters: int = 0  # ends of lines included, one each
    nats: float = 0.0

    def plus(self, line: LineScore) -> "TextScore":
        """Return the sum over one more line."""
        return TextScore(
            lines=self.lines + 1,
            tokens=self.tokens + len(line.tokens),
            characters=self.characters + len(line.text) + 1,
            nats=self.nats - line.log_probability,
        )

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """The perplexity a token: it cannot be compared between models of other vocabularies."""
        return _perplexity(self.nats_per_token)

    @property
    def bits_per_character(self) -> float:
        """What can be compared between all models on the same text."""
        return self.nats / math.log(2) / self.characters


class LineScorer(Protocol):
    """A language model that is asked for probabilities."""

    def score(self, lines: Iterable[str]) -> Iterator[LineScore]:
        """Score lines in the order they come; an empty one is an end of sentence alone."""
        ...


def _perplexity(nats_per_token: float) -> float:
    return math.exp(nats_per_token) if nats_per_token < MOST_NATS else math.inf
