"""What tuning judges by: BLEU or chrF, from counts that add up over sentences."""

from collections.abc import Sequence

import numpy as np

from seqcli.smt.arrays import Floats, Ids
from seqcli.smt.kernel import kernel, leaf, open_leaf
from seqcli.tokenizers.vocabulary import SPACE

BLEU, CHRF = 0, 1
METRICS = {"bleu": BLEU, "chrf": CHRF}
BLEU_ORDER, CHRF_ORDER = 4, 6
CHRF_BETA = 2  # recall counts so many times as much as precision


class Units:
    """Turns tokens into the numbers of what a metric counts: tokens, or characters but spaces."""

    def __init__(self, metric: int) -> None:
        self._metric = metric
        self._ids: dict[str, int] = {}

    def __call__(self, tokens: Sequence[str]) -> Ids:
        if self._metric == CHRF:
            signs = (sign for token in tokens for sign in token)
            return np.array([ord(sign) for sign in signs if sign != SPACE], np.int32)
        ids = self._ids
        return np.array([ids.setdefault(token, len(ids)) for token in tokens], np.int32)


@kernel
def count_matches(output: Ids, reference: Ids, metric: int) -> Floats:
    """For each order the n-grams that match, those of the output, then those of the reference."""
    most = BLEU_ORDER if metric == BLEU else CHRF_ORDER
    runs = np.zeros((len(output) + 1, len(reference) + 1), np.int32)  # equal from here on
    for i in range(len(output) - 1, -1, -1):
        for j in range(len(reference) - 1, -1, -1):
            if output[i] == reference[j]:
                runs[i, j] = runs[i + 1, j + 1] + 1
    counts = np.zeros(3 * most)
    for order in range(1, most + 1):
        is_taken = np.zeros(len(reference), np.bool_)
        for i in range(len(output)):
            for j in range(len(reference)):
                if runs[i, j] >= order and not is_taken[j]:
                    is_taken[j] = True
                    counts[order - 1] += 1
                    break
        counts[most + order - 1] = max(0, len(output) - order + 1)
        counts[2 * most + order - 1] = max(0, len(reference) - order + 1)
    return counts


@leaf
def reference_length(counts: Floats, metric: int) -> float:
    """The units of the references in a row of counts."""
    return float(counts[2 * (BLEU_ORDER if metric == BLEU else CHRF_ORDER)])


@open_leaf
def score_sum(counts: Floats, others: Floats, metric: int) -> float:
    """The metric, from 0 to 1, of two rows of counts added up."""
    if metric == BLEU:
        return _bleu(counts, others)
    return _chrf(counts, others)


def score_of(counts: Floats, metric: int) -> float:
    """The metric, from 0 to 1, of counts that were added up over sentences."""
    return float(score_sum(counts, np.zeros(len(counts)), metric))


@leaf
def _bleu(counts: Floats, others: Floats) -> float:
    """BLEU (Papineni et al., 2002) with one reference."""
    product = 1.0
    for order in range(BLEU_ORDER):
        matches = counts[order] + others[order]
        found = counts[BLEU_ORDER + order] + others[BLEU_ORDER + order]
        if matches <= 0 or found <= 0:
            return 0.0
        product *= matches / found
    length = counts[BLEU_ORDER] + others[BLEU_ORDER]
    wanted = counts[2 * BLEU_ORDER] + others[2 * BLEU_ORDER]
    score = np.sqrt(np.sqrt(product))  # the geometric mean of four
    return float(score if length >= wanted else score * np.exp(1 - wanted / length))


@leaf
def _chrf(counts: Floats, others: Floats) -> float:
    """F score over character n-grams (Popovic, 2015), averaged over the orders that are there."""
    total, orders = 0.0, 0
    for order in range(CHRF_ORDER):
        matches = counts[order] + others[order]
        found = counts[CHRF_ORDER + order] + others[CHRF_ORDER + order]
        wanted = counts[2 * CHRF_ORDER + order] + others[2 * CHRF_ORDER + order]
        if found > 0 and wanted > 0:
            orders += 1
            total += (1 + CHRF_BETA**2) * matches / (CHRF_BETA**2 * wanted + found)
    return float(total / max(1, orders))
