"""What every tokenizer gives, and the settings one is trained by."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from seqcli.config import Config, require_one_of, require_positive, require_probability
from seqcli.errors import ConfigError
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPECIAL_PIECES, Vocabulary, piece_bytes

SUBWORD_KINDS = ("unigram", "bpe")
KINDS = (*SUBWORD_KINDS, "characters", "words", "whitespace")
LEAST_COVERAGE = 0.98  # of sentencepiece

# Characters that never enter a piece: control characters but the tab, which could not be written
# in a line of pieces, and the two that sentencepiece keeps for itself (space and unknown).
RESERVED = re.compile("([\x00-\x08\x0a-\x1f\u2581\u2585])")


class TokenizerConfig(Config):
    """How to learn a tokenizer from text."""

    kind: str = "unigram"
    vocabulary_size: int | None = None  # pieces in all; None lets the text decide
    character_coverage: float = 1.0  # share of the text whose characters get a piece of their own
    user_symbols: tuple[str, ...] = ()  # strings that are always one piece
    byte_fallback: bool = True  # spell what is unknown in bytes, so that no text is lost
    min_frequency: int = 1  # not of subwords: rarer pieces are left out

    def __post_init__(self) -> None:
        require_one_of("tokenizer.kind", self.kind, KINDS)
        require_probability("tokenizer.character_coverage", self.character_coverage)
        require_positive("tokenizer.character_coverage", self.character_coverage)
        require_positive("tokenizer.min_frequency", self.min_frequency)
        if self.vocabulary_size is not None:
            require_positive("tokenizer.vocabulary_size", self.vocabulary_size)
        _check_user_symbols(self.user_symbols)
        if self.kind in SUBWORD_KINDS:
            _check_subwords(self)


def _check_subwords(config: TokenizerConfig) -> None:
    if config.character_coverage < LEAST_COVERAGE:
        raise ConfigError(
            f"tokenizer.character_coverage {config.character_coverage} is below {LEAST_COVERAGE}",
            why=f"{config.kind} cannot be learned from text that lacks so many characters",
            fix=f"Set it from {LEAST_COVERAGE} to 1",
        )
    if config.min_frequency > 1:
        raise ConfigError(
            f"tokenizer.min_frequency does not go with the kind {config.kind}",
            why="its pieces are not chosen by their frequency alone",
            fix="Leave it out, or set tokenizer.vocabulary_size",
        )


def _check_user_symbols(symbols: tuple[str, ...]) -> None:
    for symbol in symbols:
        if not symbol or re.search(r"[\s\ud800-\udfff]", symbol) or RESERVED.search(symbol):
            fault = "is empty, not UTF-8, or holds a space or a reserved character"
        elif symbol in SPECIAL_PIECES or symbol in BYTE_PIECES:
            fault = "is the name of a built-in piece"
        elif symbols.count(symbol) > 1:
            fault = "is given twice"
        else:
            continue
        raise ConfigError(
            f"tokenizer.user_symbols: {symbol!r} {fault}",
            why="each symbol becomes one piece of its own in the vocabulary",
            fix="Choose another symbol, such as <sep>",
        )


class Tokenizer(ABC):
    """Turns a line into ids and back without loss: `decode(encode(line)) == line`.

    Ids never contain BOS or EOS, and no piece contains a plain space. Text that the vocabulary
    lacks is spelled in bytes; only one trained without `byte_fallback` writes UNK instead.
    """

    suffix: ClassVar[str]  # of the file it is saved in
    leading_space: ClassVar[bool]  # a line starts with a space, so that its first word is as others

    def __init__(self, vocabulary: Vocabulary, user_symbols: Sequence[str]) -> None:
        self.vocabulary = vocabulary
        self._user_symbols = tuple(user_symbols)
        longest_first = sorted(map(re.escape, user_symbols), key=len, reverse=True)
        self._symbol = re.compile(f"({'|'.join(longest_first) or '(?!)'})")
        self._bytes = [piece_bytes(piece) for piece in vocabulary.pieces]

    @classmethod
    @abstractmethod
    def train(
        cls, lines: Sequence[str], config: TokenizerConfig, *, threads: int | None = None
    ) -> Self:
        """Learn from lines, by so many `threads` at most, and encode by them; None: all cores.

        Raises ConfigError for a vocabulary size that the lines do not allow.
        """

    @abstractmethod
    def save(self, folder: Path, stem: str) -> Path:
        """Write one file, `stem` and the class's suffix, and return its path."""

    @abstractmethod
    def _encode_segments(self, segments: list[str]) -> list[list[int]]:
        """The ids of texts without reserved characters."""

    def encode(self, line: str) -> list[int]:
        return self.encode_batch([line])[0]

    def encode_batch(self, lines: Sequence[str]) -> list[list[int]]:
        """Encode many lines at once, which is faster than one by one."""
        segments = self._segments(lines)
        return self._join(segments, self._encode_segments(flat(segments)))

    def sample_batch(self, lines: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """Encode as `encode_batch`, by a random segmentation where the kind of tokenizer has one.

        `alpha` is the smoothing of the unigram model's distribution (Kudo, 2018; smaller is more
        random) or the dropout probability of BPE (Provilkov et al., 2020; larger is more random).
        The result depends on the arguments only. Characters and words have one segmentation, and
        this gives it.
        """
        return self.encode_batch(lines)

    def decode(self, ids: Iterable[int]) -> str:
        """The line of text; PAD, BOS and EOS are ignored, and broken UTF-8 becomes U+FFFD."""
        return self._text(self._bytes[index] for index in ids)

    def to_pieces(self, line: str) -> list[str]:
        return self.vocabulary.pieces_of(self.encode(line))

    def from_pieces(self, pieces: Iterable[str]) -> str:
        """As `decode`. Pieces that are not in the vocabulary are taken by their letters."""
        return self._text(map(piece_bytes, pieces))

    def _text(self, parts: Iterable[bytes]) -> str:
        text = b"".join(parts).decode(errors="replace").replace("\n", " ")  # one line stays one
        return text.removeprefix(" ") if self.leading_space else text

    def _segments(self, lines: Sequence[str]) -> list[list[str]]:
        """Cut lines at reserved characters, which stand at the odd places of the result."""
        space = " " if self.leading_space else ""
        return [RESERVED.split(space + line) if line else [] for line in lines]

    def _split_symbols(self, segment: str) -> list[str]:
        """Cut at user symbols, which stand at the odd places of the result."""
        return self._symbol.split(segment)

    def _join(self, segments: list[list[str]], encoded: list[list[int]]) -> list[list[int]]:
        """Put lines together again from the ids of `flat(segments)`."""
        following = iter(encoded)
        lines = []
        for parts in segments:
            ids = next(following) if parts else []
            for reserved in parts[1::2]:
                ids += self.vocabulary.spell(reserved)
                ids += next(following)
            lines.append(ids)
        return lines


def flat(segments: list[list[str]]) -> list[str]:
    """The texts between the reserved characters, of all lines one after another."""
    return [segment for parts in segments for segment in parts[::2]]


def size_error(size: int, *, possible: int) -> ConfigError:
    """The error for a vocabulary that the text does not allow; `possible` is the nearest size."""
    if size > possible:
        return ConfigError(
            f"tokenizer.vocabulary_size {size} is too large, {possible} is the most possible here",
            why="the text does not have so many different pieces",
            fix=f"Set it to {possible} or less, leave it out, or give more text",
        )
    return ConfigError(
        f"tokenizer.vocabulary_size {size} is too small, {possible} is the least possible here",
        why="each character and each built-in piece needs a place of its own",
        fix=f"Set it to {possible} or more, or lower tokenizer.character_coverage",
    )
