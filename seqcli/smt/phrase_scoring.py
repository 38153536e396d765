"""From counts of phrase pairs to a phrase table: smoothed probabilities, weights, pruning."""

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import Floats, Ids, Places
from seqcli.smt.corpus import Sentences
from seqcli.smt.ngram_estimation import FALLBACK_DISCOUNTS, discounts_of
from seqcli.smt.phrase_extraction import PhraseCounts
from seqcli.smt.phrase_numbers import PhraseNumbers
from seqcli.smt.phrase_table import NUM_SCORES, PhraseTable, gather
from seqcli.smt.reordering import orientation_scores
from seqcli.tokenizers.vocabulary import UNK

MOST_TARGETS = 50  # of a source phrase


def score_phrases(
    counts: PhraseCounts, source: Sentences, target: Sentences, *, most_targets: int = MOST_TARGETS
) -> PhraseTable:
    """Score the pairs counted in the sentences, and keep the most probable of each source phrase.

    Ties are kept in the order of the target words. Pairs with an unknown word are left out: it
    stands for many, so that what it was translated as says nothing of another.
    """
    backward = log_probabilities(counts.counts, counts.source, counts.target)
    forward = log_probabilities(counts.counts, counts.target, counts.source)
    is_known = (
        _all_known(counts.source_phrases, source)[counts.source]
        & _all_known(counts.target_phrases, target)[counts.target]
    )
    order = np.lexsort((-forward, counts.source))
    order = order[is_known[order]]
    ranked = counts.source[order]
    order = order[np.arange(len(order)) - np.searchsorted(ranked, ranked) < most_targets]
    scores = np.empty((len(order), NUM_SCORES), np.float32)
    scores[:, 0], scores[:, 2] = backward[order], forward[order]
    scores[:, 1], scores[:, 3] = counts.lexical[order].T
    scores[:, 4] = counts.counts[order] == 1
    phrases, pair_starts = np.unique(counts.source[order], return_index=True)
    return PhraseTable(
        *_texts(phrases, counts.source_phrases, source),
        np.append(pair_starts, len(order)).astype(np.int64),
        *_texts(counts.target[order], counts.target_phrases, target),
        scores,
        orientation_scores(counts.orientations[order]),
    )


def log_probabilities(counts: Ids, events: Ids, contexts: Ids) -> Floats:
    """Log p(event | context) of pairs with their counts, by modified Kneser-Ney smoothing.

    What is taken off the counts goes to all events by the number of contexts that they are seen in
    (Foster et al., 2006). An event that is not seen in a context has a share too, so that the
    probabilities of those that are sum to less than one.
    """
    amounts = discounts_of(counts.astype(np.int64))
    discounts = np.array(FALLBACK_DISCOUNTS if amounts is None else amounts)
    discounts = discounts[np.minimum(counts, len(discounts)) - 1]
    totals = np.bincount(contexts, counts)[contexts]
    freed = np.bincount(contexts, discounts)[contexts]
    spread = np.bincount(events)[events] / max(len(events), 1)
    return np.asarray(np.log((counts - discounts + freed * spread) / totals))


def _all_known(phrases: PhraseNumbers, sentences: Sentences) -> NDArray[np.bool_]:
    """Of each phrase whether none of its words is UNK."""
    unknown_before = np.append(0, np.cumsum(sentences.ids == UNK))
    ends = phrases.places + phrases.lengths
    return np.asarray(unknown_before[ends] == unknown_before[phrases.places])


def _texts(numbers: Ids, phrases: PhraseNumbers, sentences: Sentences) -> tuple[Places, Ids]:
    """Where each of the numbered phrases begins, and the words of all, one after another."""
    lengths = phrases.lengths[numbers]
    return gather(sentences.ids, phrases.places[numbers], lengths)
