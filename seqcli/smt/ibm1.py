"""IBM Model 1 by exact expectation maximisation (Brown et al., 1993; Koehn, 2010, chapter 4)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.cooccurrences import Cooccurrences, find_cooccurrences
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel
from seqcli.smt.links import NULL, DirectedLinks

ITERATIONS = 5
TINY = float(np.finfo(np.float64).tiny)  # a divisor where there is nothing to divide


class _Text(NamedTuple):
    """A parallel text with the number of the pair of words in each cell, as in `Cooccurrences`."""

    source_starts: NDArray[np.int64]
    target_ids: NDArray[np.int32]
    target_starts: NDArray[np.int64]
    starts: NDArray[np.int64]
    pairs: NDArray[np.int32]


class Ibm1(NamedTuple):
    """p(target word | source word), for the pairs of words that met in training."""

    cooccurrences: Cooccurrences  # of the training text; they number the pairs of words
    probabilities: NDArray[np.float64]  # of each pair, beside others of its source word
    null_probabilities: NDArray[np.float64]  # of each target word, given no source word
    log_likelihoods: tuple[float, ...]  # of the text before each iteration and after the last


def align_by_ibm1(
    source: Sentences,
    target: Sentences,
    *,
    seed: int,
    threads: int,
    tell: Callable[[str], None] | None = None,
) -> DirectedLinks:
    """Align in both directions. Nothing is left to chance, so the seed makes no difference."""

    def align(sides: tuple[Sentences, Sentences]) -> NDArray[np.int32]:
        return most_probable_links(train_ibm1(*sides, tell=tell), *sides)

    with ThreadPoolExecutor(threads) as pool:
        return DirectedLinks(*pool.map(align, [(source, target), (target, source)]))


def train_ibm1(
    source: Sentences,
    target: Sentences,
    *,
    iterations: int = ITERATIONS,
    with_null: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Ibm1:
    """Learn from a parallel text which target word each source word makes, from an even start.

    The likelihood, in nats, counts the choice among the source positions evenly but not that of
    the length. Where a source is empty and there is no null word, a pair has no likelihood and is
    left out.
    """
    cooccurrences = find_cooccurrences(source, target)
    text = _Text(source.starts, *target, cooccurrences.starts, cooccurrences.pairs)
    num_targets = int(target.ids.max(initial=0)) + 1
    num_seen = max(1, len(np.unique(target.ids)))
    probabilities = np.full(cooccurrences.pair_starts[-1], 1 / num_seen)
    null_probabilities = np.full(num_targets, 1 / num_seen)
    log_likelihoods = []
    for iteration in range(iterations + 1):
        counts = np.zeros_like(probabilities)
        null_counts = np.zeros_like(null_probabilities)
        log_likelihoods.append(
            _expect(text, probabilities, null_probabilities, int(with_null), counts, null_counts)
        )
        if tell is not None:
            tell(f"IBM 1, {iteration} of {iterations}: {log_likelihoods[-1]:.1f} nats")
        if iteration < iterations:
            probabilities = _normalized(counts, cooccurrences.pair_starts)
            null_probabilities = null_counts / max(null_counts.sum(), TINY)
    return Ibm1(cooccurrences, probabilities, null_probabilities, tuple(log_likelihoods))


def most_probable_links(model: Ibm1, source: Sentences, target: Sentences) -> NDArray[np.int32]:
    """The source position of each target word of the text that was trained on, or NULL."""
    text = _Text(source.starts, *target, model.cooccurrences.starts, model.cooccurrences.pairs)
    return _most_probable(text, model.probabilities, model.null_probabilities)


def _normalized(counts: NDArray[np.float64], pair_starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide the counts of each source word by their sum."""
    words = np.repeat(np.arange(len(pair_starts) - 1), np.diff(pair_starts))
    sums = np.bincount(words, counts, minlength=len(pair_starts) - 1)
    return counts / np.maximum(sums, TINY)[words]


@kernel
def _expect(
    text: _Text,
    probabilities: NDArray[np.float64],
    null_probabilities: NDArray[np.float64],
    num_null: int,
    counts: NDArray[np.float64],
    null_counts: NDArray[np.float64],
) -> float:
    """Add up how often each pair is expected to be linked; return the log-likelihood."""
    source_starts, target_ids, target_starts, starts, pairs = text
    log_likelihood = 0.0
    for n in range(len(starts) - 1):
        num_sources = source_starts[n + 1] - source_starts[n]
        length = target_starts[n + 1] - target_starts[n]
        if num_sources + num_null == 0:
            continue
        for j in range(length):
            word = target_ids[target_starts[n] + j]
            total = num_null * null_probabilities[word]
            for i in range(num_sources):
                total += probabilities[pairs[starts[n] + i * length + j]]
            log_likelihood += np.log(total / (num_sources + num_null))
            for i in range(num_sources):
                pair = pairs[starts[n] + i * length + j]
                counts[pair] += probabilities[pair] / total
            null_counts[word] += num_null * null_probabilities[word] / total
    return log_likelihood


@kernel
def _most_probable(
    text: _Text,
    probabilities: NDArray[np.float64],
    null_probabilities: NDArray[np.float64],
) -> NDArray[np.int32]:
    """The source position of each target word, the first where several are as good, or NULL."""
    source_starts, target_ids, target_starts, starts, pairs = text
    links = np.empty(len(target_ids), np.int32)
    for n in range(len(starts) - 1):
        length = target_starts[n + 1] - target_starts[n]
        for j in range(length):
            at = target_starts[n] + j
            best = null_probabilities[target_ids[at]]
            links[at] = NULL
            for i in range(source_starts[n + 1] - source_starts[n]):
                probability = probabilities[pairs[starts[n] + i * length + j]]
                if probability > best:
                    best = probability
                    links[at] = i
    return links
