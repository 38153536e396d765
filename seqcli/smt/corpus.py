"""Many tokenised sentences in two flat arrays, as the kernels of this room read them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK, Vocabulary


class Sentences(NamedTuple):
    """The ids of many sentences, one after another: n has `ids[starts[n]:starts[n + 1]]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]  # one more than there are sentences; the last is the length of ids

    @property
    def num_sentences(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> NDArray[np.int64]:
        """The number of words of each sentence."""
        return np.diff(self.starts)


def learn_vocabulary(token_lines: Iterable[Sequence[str]]) -> Vocabulary:
    """All words of a text, the frequent first, words of one frequency in the order of their text.

    A word that looks like a special piece, such as "</s>", is left out and so unknown.
    """
    counts = Counter(word for words in token_lines for word in words)
    for piece in SPECIAL_PIECES:
        counts.pop(piece, None)
    return Vocabulary([*SPECIAL_PIECES, *sorted(counts, key=lambda word: (-counts[word], word))])


def encode_sentences(token_lines: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Sentences:
    """The words of each line as ids; one that is unknown or looks like a special piece is UNK."""
    ids: list[int] = []
    starts = [0]
    for words in token_lines:
        ids.extend(max(vocabulary.id(word), UNK) for word in words)
        starts.append(len(ids))
    return Sentences(np.array(ids, dtype=np.int32), np.array(starts, dtype=np.int64))
