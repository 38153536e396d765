"""What every translation system gives, be it neural, statistical or rule-based."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One candidate translation of a line."""

    text: str
    score: float  # what the search ranked by: higher is better
    log_probability: float  # nats, summed over the tokens and the end of sentence
    tokens: tuple[str, ...] = ()
    attention: tuple[tuple[float, ...], ...] = ()  # a row a target token, a column a source token
    is_complete: bool = True  # False: cut off, for its end did not come in time
    features: tuple[tuple[str, float], ...] = ()  # what a weighted score is made of, by name


@dataclass(frozen=True, slots=True)
class Translation:
    """The translation of one line: its hypotheses, best first. An empty line has one, empty."""

    source: str
    hypotheses: tuple[Hypothesis, ...]
    source_tokens: tuple[str, ...] = ()
    num_parts: int = 1  # more than one: the line was too long to be translated as a whole

    @property
    def text(self) -> str:
        return self.hypotheses[0].text


class Translator(Protocol):
    """A system that translates lines: N in, N out, order kept, empty stays empty."""

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]: ...
