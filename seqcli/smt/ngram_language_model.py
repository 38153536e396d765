"""An n-gram model with its tokenizer: text is scored and written."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from seqcli.errors import ConfigError
from seqcli.smt.arpa import read_arpa, write_arpa
from seqcli.smt.arrays import Floats
from seqcli.smt.corpus import Sentences
from seqcli.smt.ngram_model import NgramModel
from seqcli.text.generation import GenerationConfig
from seqcli.text.line_scores import LineScore
from seqcli.tokenizers import BOS, DICTIONARIES, EOS, PAD, UNK, Tokenizer
from seqcli.tokenizers.continuation import Continuation
from seqcli.tokenizers.dictionary import DictionaryTokenizer
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPACE, SPECIAL_PIECES
from seqcli.tokenizers.whitespace import WhitespaceTokenizer
from seqcli.translator import Translation

LINES_AT_A_TIME = 1024


def encode_lines(tokenizer: Tokenizer, lines: Iterable[str]) -> Sentences:
    """Cut lines into the ids of their pieces."""
    waiting = iter(lines)
    parts, lengths = [np.empty(0, np.int32)], [0]
    while group := list(itertools.islice(waiting, LINES_AT_A_TIME)):
        encoded = tokenizer.encode_batch(group)
        lengths += map(len, encoded)
        parts.append(np.array(list(itertools.chain.from_iterable(encoded)), np.int32))
    return Sentences(np.concatenate(parts), np.cumsum(lengths, dtype=np.int64))


class NgramScorer:
    """Scores lines as a whole."""

    def __init__(self, model: NgramModel, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def score(self, lines: Iterable[str]) -> Iterator[LineScore]:
        """Score lines in the order they come; an empty one is an end of sentence alone."""
        waiting = iter(lines)
        while group := list(itertools.islice(waiting, LINES_AT_A_TIME)):
            yield from self._score_group(group)

    def _score_group(self, lines: Sequence[str]) -> Iterator[LineScore]:
        ids, starts = encode_lines(self._tokenizer, lines)
        nats = (-self._model.score(ids, starts)).tolist()
        for row, line in enumerate(lines):
            first, end = starts[row], starts[row + 1]
            tokens = self._tokenizer.vocabulary.pieces_of([*ids[first:end], EOS])
            yield LineScore(line, tuple(tokens), tuple(nats[first + row : end + row + 1]))


class NgramGenerator:
    """Goes on with lines, token by token, from a random distribution or greedily.

    What is drawn for a line depends on the `seed`, the line's number and the line alone.
    """

    def __init__(
        self, model: NgramModel, config: GenerationConfig, *, tokenizer: Tokenizer, seed: int = 1
    ) -> None:
        self._model = model
        self._config = config
        self._tokenizer = tokenizer
        self._seed = seed
        self._never_drawn = [PAD, BOS, UNK] if tokenizer.vocabulary.has_bytes else [PAD, BOS]

    @property
    def max_tokens(self) -> int:
        """How many tokens a continuation may have, the end of sentence included."""
        return self._config.max_tokens

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Go on with lines in the order they come; an empty one is written from nothing."""
        return self.generate([line] for line in lines)

    def generate(self, groups: Iterable[Sequence[str]]) -> Iterator[Translation]:
        """Do the same with groups of lines, each as soon as it comes."""
        for number, line in enumerate(itertools.chain.from_iterable(groups)):
            beginning = self._tokenizer.encode(line)
            continuation = self._continue(beginning, random.Random(f"{self._seed} {number}"))
            yield continuation.of_line(line, beginning, self._tokenizer)

    def _continue(self, beginning: Sequence[int], chance: random.Random) -> Continuation:
        state = self._model.begin_state
        for token in beginning:
            _, state = self._model.next_word(state, token)
        tokens: list[int] = []
        log_probability = 0.0
        while len(tokens) < self._config.max_tokens and EOS not in tokens[-1:]:
            possible = self._model.distribution(state)
            possible[self._never_drawn] = -np.inf
            token = draw(possible, chance.random(), self._config)
            token_log_probability, state = self._model.next_word(state, token)
            tokens.append(token)
            log_probability += token_log_probability
        return Continuation(tokens, log_probability)


def draw(logits: Floats, uniform: float, config: GenerationConfig) -> int:
    """Return a token, drawn by a number from 0 to 1 (itself not included).

    The temperature comes first, then the `top_k` most probable tokens are kept (Fan et al., 2018),
    and of those the nucleus that holds `top_p` of their probability (Holtzman et al., 2020).
    """
    weights = np.exp((logits - logits.max()) / config.temperature)
    if config.top_k is None and config.top_p == 1:
        return _place(weights, uniform)
    tokens = np.argsort(-weights, kind="stable")[: config.top_k]
    weights = weights[tokens]
    sums = weights.cumsum()
    nucleus = np.where(sums - weights < config.top_p * sums[-1], weights, 0)
    return int(tokens[_place(nucleus, uniform)])


def _place(weights: Floats, uniform: float) -> int:
    """Return where the share of the sum falls, never on a weight of 0."""
    sums = weights.cumsum()
    wanted = min(uniform * sums[-1], np.nextafter(sums[-1], 0))
    return int(np.searchsorted(sums, wanted, side="right"))


def import_arpa(path: Path, kind: str | None = None) -> tuple[NgramModel, DictionaryTokenizer]:
    """Read a model of another program and make the tokenizer that cuts text into its words.

    If `kind` does not say otherwise, they are pieces of the kind "words" where one has the sign of
    a space in it; else they stand between spaces in the text. Raises DataError, and ConfigError for
    a kind whose pieces have that sign.
    """
    model, vocabulary = read_arpa(path)
    words = vocabulary.pieces[len(SPECIAL_PIECES) :]
    has_spaces = any(SPACE in word for word in words)
    chosen = DICTIONARIES[kind or ("words" if has_spaces else "whitespace")]
    if has_spaces or not chosen.leading_space:
        return model, chosen(vocabulary.pieces)
    if chosen is not WhitespaceTokenizer:
        raise ConfigError(
            f"tokenizer.kind cannot be {kind!r} for {path}",
            why=f"no word there has the sign of a space ({SPACE}) as words of this kind have",
            fix="Leave it out",
        )
    pieces = (word if word in BYTE_PIECES else SPACE + word for word in words)
    return model, WhitespaceTokenizer([*SPECIAL_PIECES, *pieces])


def export_arpa(model: NgramModel, tokenizer: Tokenizer, path: Path) -> None:
    """Write a model for other programs. Raises OutputError.

    They read text that is cut into words or, for other tokenizers, pieces, by spaces.
    """
    pieces = tokenizer.vocabulary.pieces
    if isinstance(tokenizer, WhitespaceTokenizer):
        words = [piece.removeprefix(SPACE) for piece in pieces]
        if len(set(words)) == len(words) and all(words):
            pieces = tuple(words)
    write_arpa(model, pieces, path)
