"""One piece for each label: what a classifier or a tagger chooses from."""

from collections.abc import Iterable
from functools import cached_property
from typing import ClassVar, Self

from seqcli.errors import DataError
from seqcli.tokenizers.base import RESERVED, TokenizerConfig
from seqcli.tokenizers.dictionary import DictionaryTokenizer, Kind
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPACE, SPECIAL_PIECES, UNK


class LabelTokenizer(DictionaryTokenizer):
    """Takes a text as a whole. It is no choice for text: what it has not seen is unknown to it."""

    kind: ClassVar[Kind] = "labels"
    leading_space: ClassVar[bool] = False

    @classmethod
    def learn(cls, labels: Iterable[str]) -> Self:
        """Learn the labels of a text, of which the most frequent come first.

        Raises DataError if there are less than two, or one that cannot be a piece.
        """
        labels = list(labels)
        different = sorted(set(labels))
        if len(different) < 2:
            found = f"one label only, {different[0]!r}" if different else "no labels"
            raise DataError(
                f"the training text has {found}",
                why="there is nothing to choose from",
                fix="Check that the second file has the labels, and that there are at least two",
            )
        for label in different:
            if label in SPECIAL_PIECES + BYTE_PIECES or RESERVED.search(label):
                raise DataError(
                    f"{label!r} cannot be a label",
                    why="it is the name of a built-in piece, or holds a character that names those",
                    fix="Choose another name for it",
                )
        return cls.train(labels, TokenizerConfig(byte_fallback=False))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels; the id of the one at place 0 is `len(SPECIAL_PIECES)`."""
        pieces = self.vocabulary.pieces[len(SPECIAL_PIECES) :]
        return tuple(piece.replace(SPACE, " ") for piece in pieces)

    def ids_of(self, labels: Iterable[str]) -> list[int]:
        """The id of each label, UNK for one that is not known."""
        return [self._label_ids.get(label, UNK) for label in labels]

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.labels, start=len(SPECIAL_PIECES))}

    def _split(self, text: str) -> list[str]:
        return [text]
