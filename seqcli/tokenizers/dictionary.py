"""Pieces that are found by a rule, counted, and kept in a table: characters, words and others."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, Literal, Self

import msgspec

from seqcli.text.lines import write_atomically
from seqcli.tokenizers.base import Tokenizer, TokenizerConfig, flat, size_error
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPACE, SPECIAL_PIECES, Vocabulary

Kind = Literal["characters", "words", "whitespace", "labels"]


class SavedDictionary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of such a tokenizer, in JSON."""

    kind: Kind
    user_symbols: tuple[str, ...]
    pieces: tuple[str, ...]  # in order of their ids


class DictionaryTokenizer(Tokenizer):
    """Splits text by a rule; a piece that is not in the vocabulary is spelled in bytes."""

    suffix: ClassVar[str] = ".json"
    kind: ClassVar[Kind]

    def __init__(self, pieces: Sequence[str], user_symbols: Sequence[str] = ()) -> None:
        """Raises ValueError if the pieces cannot be a vocabulary."""
        super().__init__(Vocabulary(pieces), user_symbols)

    @abstractmethod
    def _split(self, text: str) -> list[str]:
        """Cut text that has no reserved characters and no user symbols."""

    @classmethod
    def train(
        cls, lines: Sequence[str], config: TokenizerConfig, *, threads: int | None = None
    ) -> Self:
        """Keep the most frequent pieces; equally frequent ones by the order of code points.

        One thread does all, whatever `threads` says.
        """
        built_in = SPECIAL_PIECES + config.user_symbols
        if config.byte_fallback:
            built_in += BYTE_PIECES
        untrained = cls(built_in, config.user_symbols)
        counts = Counter(
            piece
            for segment in flat(untrained._segments(lines))
            for piece in untrained._pieces(segment)
            if piece not in untrained.vocabulary
        )
        frequent = _most_frequent(counts, config)
        size = len(built_in) + len(frequent)
        if config.vocabulary_size is not None:
            size = min(max(len(built_in) + 1, config.vocabulary_size), size)
            if size != config.vocabulary_size:
                raise size_error(config.vocabulary_size, possible=size)
        return cls([*built_in, *frequent][:size], config.user_symbols)

    def save(self, folder: Path, stem: str) -> Path:
        path = folder / f"{stem}{self.suffix}"
        saved = SavedDictionary(
            kind=self.kind, user_symbols=self._user_symbols, pieces=self.vocabulary.pieces
        )
        with write_atomically(path) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(saved)).decode() + "\n")
        return path

    def _encode_segments(self, segments: list[str]) -> list[list[int]]:
        return [
            [index for piece in self._pieces(segment) for index in self.vocabulary.ids_of(piece)]
            for segment in segments
        ]

    def _pieces(self, segment: str) -> list[str]:
        pieces: list[str] = []
        for place, text in enumerate(self._split_symbols(segment)):
            pieces += [text] if place % 2 else self._split(text)
        return [piece.replace(" ", SPACE) for piece in pieces]


def _most_frequent(counts: Counter[str], config: TokenizerConfig) -> list[str]:
    """The pieces that are frequent enough and cover the share of the text that is asked for."""
    ordered = sorted(counts, key=lambda piece: (-counts[piece], piece))
    wanted = config.character_coverage * counts.total()
    covered_before = accumulate((counts[piece] for piece in ordered), initial=0)
    return [
        piece
        for piece, before in zip(ordered, covered_before, strict=False)
        if before < wanted and counts[piece] >= config.min_frequency
    ]
