"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1998; Heafield et al., 2013)."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import Floats, Places, Singles
from seqcli.smt.corpus import Sentences
from seqcli.smt.ngram_counts import NgramCounts, count_ngrams
from seqcli.smt.ngram_model import LOWEST, NgramModel, Ngrams
from seqcli.tokenizers.vocabulary import BOS, PAD

log = logging.getLogger(__name__)

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # where a text is too small to tell


def estimate_ngram_model(
    sentences: Sentences, vocabulary_size: int, *, order: int = 5, pruning: Sequence[int] = ()
) -> NgramModel:
    """Estimate a model over all ids of the vocabulary but PAD and BOS, seen in the text or not.

    `pruning` has a count for each order from 2 on, the last one for all that follow: n-grams that
    occur no more often are left out, and their share goes to the shorter contexts. The counts must
    not fall. The model's order is lower than `order` if no sentence is so long.
    """
    thresholds = [0, *pruning]
    thresholds += thresholds[-1:] * (order - len(thresholds))
    counted = count_ngrams(sentences, vocabulary_size, order)
    probabilities = np.array([1 / (vocabulary_size - 2)])  # below the unigrams all are equal
    first, places = 0, np.zeros(1, np.int64)  # the root of the trie
    orders: list[Ngrams] = []
    for ngrams, threshold in zip(counted, thresholds, strict=False):
        is_kept = ngrams.counts > threshold if orders else np.ones(len(ngrams.words), bool)
        if not is_kept.any():
            break
        discounts = _discounts(ngrams.adjusted, len(orders) + 1)
        direct, backoffs = _shares(ngrams, discounts, is_kept, len(places))
        probabilities = direct + backoffs[ngrams.contexts] * probabilities[ngrams.ends]
        if orders:
            orders[-1] = orders[-1]._replace(backoffs=_log(backoffs[places >= 0]))
        contexts = first + places[ngrams.contexts[is_kept]]
        words, natural = ngrams.words[is_kept].astype(np.int32), _log(probabilities[is_kept])
        orders.append(Ngrams(contexts, words, natural, np.zeros_like(natural)))
        first += int((places >= 0).sum())
        places = np.where(is_kept, np.cumsum(is_kept) - 1, -1)
    orders[0].log_probabilities[[PAD, BOS]] = LOWEST
    return NgramModel.from_orders(orders)


def discounts_of(adjusted: Places) -> Floats | None:
    """What is taken from a count of 1, 2, and 3 or more; None if the counts are too few to tell."""
    num_ngrams = np.bincount(np.minimum(adjusted, 5), minlength=6)[1:5].astype(float)
    if not num_ngrams[:3].all():
        return None
    factor = num_ngrams[0] / (num_ngrams[0] + 2 * num_ngrams[1])
    times = np.arange(1, 4)
    amounts: Floats = times - (times + 1) * factor * num_ngrams[1:] / num_ngrams[:3]
    return amounts if (amounts > 0).all() else None


def _discounts(adjusted: Places, order: int) -> Floats:
    """What is taken from each count."""
    amounts = discounts_of(adjusted)
    if amounts is None:
        amounts = np.array(FALLBACK_DISCOUNTS)
        log.info("too few %d-grams to tell their discounts: %s are taken", order, amounts)
    return np.array([0.0, *amounts])[np.minimum(adjusted, 3)]


def _shares(
    ngrams: NgramCounts, discounts: Floats, is_kept: NDArray[np.bool_], num_contexts: int
) -> tuple[Floats, Floats]:
    """The probability of each n-gram by its own count, and the rest of each context."""
    counts = ngrams.adjusted.astype(float)
    taken = np.where(is_kept, discounts, counts)
    totals = np.bincount(ngrams.contexts, counts, num_contexts)
    rests = np.bincount(ngrams.contexts, taken, num_contexts)
    is_empty = totals == 0
    totals[is_empty] = rests[is_empty] = 1
    return (counts - taken) / totals[ngrams.contexts], rests / totals


def _log(probabilities: Floats) -> Singles:
    return np.log(np.minimum(probabilities, 1)).astype(np.float32)  # sums may be rounded up
