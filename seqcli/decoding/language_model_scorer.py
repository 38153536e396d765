"""How probable lines of text are to a trained language model."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from seqcli.architectures.language_model import LanguageModel
from seqcli.data.batch import text_batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example, Examples
from seqcli.tokenizers import EOS, Tokenizer

LINES_AT_A_TIME = 1024  # from which batches of similar length are made
TOKENS_AT_A_TIME = 2048  # computed in one call, padding included
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


class TextScorer:
    """Scores lines as a whole, however long they are."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def score(self, lines: Iterable[str]) -> Iterator[LineScore]:
        """Score lines in the order they come; an empty one is an end of sentence alone."""
        waiting = iter(lines)
        while group := list(itertools.islice(waiting, LINES_AT_A_TIME)):
            yield from self._score_group(group)

    def _score_group(self, lines: Sequence[str]) -> list[LineScore]:
        encoded = self._tokenizer.encode_batch(lines)
        examples = [Example(ids, ids) for ids in encoded]
        found: dict[int, list[float]] = {}
        lengths = Examples.of(examples).lengths
        for group in token_batches(lengths, batch_tokens=TOKENS_AT_A_TIME, seed=0, epoch=0):
            rows = group.tolist()
            found.update(zip(rows, self._surprise([examples[row] for row in rows]), strict=True))
        return [
            LineScore(
                line, tuple(self._tokenizer.vocabulary.pieces_of([*ids, EOS])), tuple(found[row])
            )
            for row, (line, ids) in enumerate(zip(lines, encoded, strict=True))
        ]

    @torch.inference_mode()
    def _surprise(self, examples: Sequence[Example]) -> list[list[float]]:
        """Return the nats of each token of each row; long rows are read part by part."""
        model = self._model
        batch = text_batch(examples).to(model.output_bias.device)
        steps = max(1, TOKENS_AT_A_TIME // len(examples))
        state, parts = None, []
        for input_BT, output_BT in zip(
            batch.input_BT.split(steps, 1), batch.output_BT.split(steps, 1), strict=True
        ):
            features_BTE, state = model(input_BT, state)
            logits_BTV = nn.functional.linear(features_BTE, model.output_weight, model.output_bias)
            parts.append(nn.functional.cross_entropy(logits_BTV.mT, output_BT, reduction="none"))
        rows: list[list[float]] = torch.cat(parts, 1).tolist()
        return [row[: len(example.target) + 1] for row, example in zip(rows, examples, strict=True)]


def _perplexity(nats_per_token: float) -> float:
    return math.exp(nats_per_token) if nats_per_token < MOST_NATS else math.inf
