"""N-gram models in plain Python: what is written in the literature, and slow."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from seqcli.smt.corpus import Sentences
from seqcli.tokenizers import BOS, EOS

Ngram = tuple[int, ...]


def sentences_of(rows: Sequence[Sequence[int]]) -> Sentences:
    starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Sentences(np.array([word for row in rows for word in row], np.int32), starts)


def raw_counts(rows: Sequence[Sequence[int]], order: int) -> Counter[Ngram]:
    counts: Counter[Ngram] = Counter()
    for row in rows:
        tokens = (BOS, *row, EOS)
        for length in range(1, order + 1):
            counts.update(tokens[i : i + length] for i in range(len(tokens) - length + 1))
    return counts


class PlainKneserNey:
    """Interpolated modified Kneser-Ney, word by word as its definition reads."""

    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        vocabulary_size: int,
        order: int,
        pruning: Sequence[int] = (),
    ) -> None:
        self.order = order
        self.vocabulary_size = vocabulary_size
        self.counts = raw_counts(rows, order)
        self.thresholds = [0, *pruning, *([*pruning][-1:] or [0]) * order]
        before = Counter(ngram[1:] for ngram in self.counts)  # distinct words before each
        self.adjusted = {
            ngram: count if len(ngram) == order or ngram[0] == BOS else before[ngram]
            for ngram, count in self.counts.items()
        }
        self.adjusted[BOS,] = 0
        self.probability = cache(self._probability)

    def discounts(self, order: int) -> list[float]:
        n = Counter(count for ngram, count in self.adjusted.items() if len(ngram) == order)
        if not (n[1] and n[2] and n[3]):
            return [0, 0.5, 1, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        found = [0, *(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))]
        return found if min(found[1:]) > 0 else [0, 0.5, 1, 1.5]

    def _probability(self, context: Ngram, word: int) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        shorter = 1 / (self.vocabulary_size - 2)
        if context:
            shorter = self.probability(context[1:], word)
        order = len(context) + 1
        children = {
            ngram: count
            for ngram, count in self.adjusted.items()
            if len(ngram) == order and ngram[:-1] == context
        }
        total = sum(children.values())
        if not total:
            return shorter
        discounts = self.discounts(order)
        taken = {
            ngram: discounts[min(count, 3)]
            if order == 1 or self.counts[ngram] > self.thresholds[order - 1]
            else count
            for ngram, count in children.items()
        }
        ngram = (*context, word)
        direct = children.get(ngram, 0) - taken.get(ngram, 0)
        return (direct + sum(taken.values()) * shorter) / total
