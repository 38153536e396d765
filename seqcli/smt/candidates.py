"""The k-best lists of all rounds of tuning in flat arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Floats, Places
from seqcli.smt.features import NUM_FEATURES
from seqcli.smt.tuning_metrics import Units, count_matches, score_of

SAME = 6  # decimals: features that differ less are those of one candidate


class NBest(NamedTuple):
    """The best translations of one sentence, best first."""

    outputs: Sequence[tuple[str, ...]]  # K: tokens
    features: Floats  # K, NUM_FEATURES


class Candidates(NamedTuple):
    """Translations of many sentences; those of sentence n are [starts[n]:starts[n + 1]]."""

    starts: Places
    features: Floats  # C, NUM_FEATURES
    counts: Floats  # C, counts of the metric
    metric: int

    def best(self, weights: Floats) -> Places:
        """The translation of each sentence that these weights rank first."""
        model = self.features @ weights
        return np.array(
            [
                start + int(np.argmax(model[start:end]))
                for start, end in zip(self.starts[:-1], self.starts[1:], strict=True)
            ]
        )

    def score(self, weights: Floats) -> float:
        """The metric of the translations that these weights rank first."""
        return score_of(self.counts[self.best(weights)].sum(axis=0), self.metric)


class CandidatePool:
    """All translations seen so far, each choice of output and features once a sentence."""

    def __init__(self, references: Sequence[Sequence[str]], metric: int) -> None:
        self._units = Units(metric)
        self._references = [self._units(tokens) for tokens in references]
        self._seen: list[set[int]] = [set() for _ in references]  # hashes, as these are many
        num_counts = len(self._count((), 0, metric))
        self.candidates = Candidates(
            np.zeros(len(references) + 1, np.int64),
            np.empty((0, NUM_FEATURES)),
            np.empty((0, num_counts)),
            metric,
        )

    def add(self, nbest: Sequence[NBest]) -> float:
        """Add a round's lists, one for each reference; return the metric of their first."""
        metric, news = self.candidates.metric, list[tuple[Floats, Floats]]()
        firsts = np.zeros(self.candidates.counts.shape[1])
        for number, (outputs, features) in enumerate(nbest):
            if not outputs:
                outputs, features = [()], np.zeros((1, NUM_FEATURES))
            firsts += self._count(outputs[0], number, metric)
            new = self._new(outputs, features, number)
            counts = [self._count(outputs[index], number, metric) for index in new]
            news.append((features[new], np.reshape(counts, (len(new), len(firsts)))))
        self.candidates = _merged(self.candidates, news)
        return score_of(firsts, metric)

    def _new(self, outputs: Sequence[tuple[str, ...]], features: Floats, number: int) -> list[int]:
        """The places of what was not seen before."""
        rows = np.round(features, SAME) + 0.0  # no zero with a minus sign
        keys = [hash((tokens, row.tobytes())) for tokens, row in zip(outputs, rows, strict=True)]
        new = [index for index, key in enumerate(keys) if key not in self._seen[number]]
        self._seen[number].update(keys)
        return new

    def _count(self, tokens: Sequence[str], number: int, metric: int) -> Floats:
        return count_matches(self._units(tokens), self._references[number], metric)


def _merged(old: Candidates, news: Sequence[tuple[Floats, Floats]]) -> Candidates:
    """The candidates with features and counts of new ones after those of each sentence."""
    sizes = np.diff(old.starts) + [len(features) for features, _ in news]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    features = np.empty((starts[-1], old.features.shape[1]))
    counts = np.empty((starts[-1], old.counts.shape[1]))
    for number, new in enumerate(news):
        first, last = old.starts[number : number + 2]
        middle = starts[number] + last - first
        for every, before, more in ((features, old.features, new[0]), (counts, old.counts, new[1])):
            every[starts[number] : middle] = before[first:last]
            every[middle : starts[number + 1]] = more
    return Candidates(starts, features, counts, old.metric)
