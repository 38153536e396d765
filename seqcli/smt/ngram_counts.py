"""All n-grams of a text and how often they occur, found by sorting."""

from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Places
from seqcli.smt.corpus import Sentences
from seqcli.tokenizers.vocabulary import BOS, EOS


class NgramCounts(NamedTuple):
    """The n-grams of one order, sorted by (context, word); those of order 1 are all words by id.

    A context and an end are n-grams of the order below, by their number there.
    """

    contexts: Places  # the first n - 1 words
    words: Places  # the last word
    ends: Places  # the last n - 1 words
    counts: Places  # how often it occurs
    adjusted: Places  # after how many words it occurs; if it begins with BOS, or is of the
    # highest order: how often it occurs. BOS alone has 0, as it is never predicted.


def count_ngrams(sentences: Sentences, vocabulary_size: int, order: int) -> list[NgramCounts]:
    """Count the n-grams of each order up to `order`, or to that of the longest sentence.

    A sentence has one BOS before it and one EOS after it. Time is that of sorting, memory linear.
    """
    tokens, room = _with_ends(sentences)
    numbers = tokens  # of the n-gram that begins at each place, where there is room for it
    counts = np.bincount(tokens, minlength=vocabulary_size)
    none = np.zeros(vocabulary_size, np.int64)
    found = [NgramCounts(none, np.arange(vocabulary_size), none, counts, counts)]
    begins = np.arange(vocabulary_size) == BOS
    for length in range(1, order):
        places = np.flatnonzero(room > length)
        if not len(places):
            break
        keys = numbers[places] * vocabulary_size + tokens[places + length]
        distinct, example, numbers_of_places, counts = _rank(keys)
        contexts, words = np.divmod(distinct, vocabulary_size)
        ends = numbers[places[example] + 1]
        shorter = found[-1]
        after = np.bincount(ends, minlength=len(shorter.words))
        found[-1] = shorter._replace(adjusted=np.where(begins, shorter.counts, after))
        found.append(NgramCounts(contexts, words, ends, counts, counts))
        begins = begins[contexts]
        numbers = np.zeros_like(tokens)
        numbers[places] = numbers_of_places
    predicted = np.where(np.arange(vocabulary_size) == BOS, 0, found[0].adjusted)
    return [found[0]._replace(adjusted=predicted), *found[1:]]


def _with_ends(sentences: Sentences) -> tuple[Places, Places]:
    """All tokens with BOS and EOS, and for each how many there are to the end of its sentence."""
    lengths = np.diff(sentences.starts) + 2
    ends = np.cumsum(lengths)
    tokens = np.empty(lengths.sum(), np.int64)
    is_inside = np.ones(len(tokens), bool)
    for places, token in ((ends - lengths, BOS), (ends - 1, EOS)):
        tokens[places] = token
        is_inside[places] = False
    tokens[is_inside] = sentences.ids
    return tokens, np.repeat(ends, lengths) - np.arange(len(tokens))


def _rank(keys: Places) -> tuple[Places, Places, Places, Places]:
    """The distinct keys in order, a place of each, the rank of every key, and their counts."""
    order = np.argsort(keys)
    ordered = keys[order]
    is_new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    ranks = np.empty_like(keys)
    ranks[order] = np.cumsum(is_new) - 1
    counts = np.diff(np.append(np.flatnonzero(is_new), len(keys)))
    return ordered[is_new], order[is_new], ranks, counts
