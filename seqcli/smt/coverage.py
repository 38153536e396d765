"""Which words of a source sentence are translated: a bit for each word, in two integers."""

import numpy as np

from seqcli.smt.kernel import leaf

LONGEST_SENTENCE = 128  # source words
WORD = 64  # bits of an integer
ONE = np.uint64(1)
Whole = int | np.integer  # kernels make no difference


@leaf
def is_covered(low: np.uint64, high: np.uint64, word: Whole) -> bool:
    """Whether the bit of a source word is set; `low` holds the first 64."""
    if word < WORD:
        return bool((low >> np.uint64(word)) & ONE)
    return bool((high >> np.uint64(word - WORD)) & ONE)


@leaf
def bits_of(begin: Whole, end: Whole) -> tuple[np.uint64, np.uint64]:
    """The bits of the source words from begin to end."""
    low, high = np.uint64(0), np.uint64(0)
    for word in range(begin, end):
        if word < WORD:
            low |= ONE << np.uint64(word)
        else:
            high |= ONE << np.uint64(word - WORD)
    return low, high


@leaf
def first_gap(low: np.uint64, high: np.uint64, word: Whole, length: int) -> Whole:
    """The first source word from `word` on that is not covered, or the length."""
    while word < length and is_covered(low, high, word):
        word += 1
    return word
