"""Which source word meets which target word in a corpus, each such pair of words with a number."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel


class Cooccurrences(NamedTuple):
    """The number of the word pair in each cell of each sentence pair.

    Cell (i, j) of sentence pair n, for source position i and target position j, is
    `starts[n] + i * target_length + j`. Pairs of one source word have neighbouring numbers.
    """

    starts: NDArray[np.int64]  # one more than there are sentence pairs
    pairs: NDArray[np.int32]  # of each cell
    pair_starts: NDArray[
        np.int64
    ]  # source word e has the pairs [pair_starts[e]:pair_starts[e + 1]]
    pair_targets: NDArray[np.int32]  # the target word of each pair


def find_cooccurrences(source: Sentences, target: Sentences) -> Cooccurrences:
    """Number the pairs of words that meet; takes 4 bytes for each cell."""
    lengths = source.lengths() * target.lengths()
    starts = np.concatenate(([0], np.cumsum(lengths)))
    num_sources = int(source.ids.max(initial=0)) + 1
    num_targets = int(target.ids.max(initial=0)) + 1
    pairs, pair_starts = _number_pairs(*source, *target, starts, num_sources, num_targets)
    pair_targets = _targets_of_pairs(*target, starts, pairs, pair_starts[-1])
    return Cooccurrences(starts, pairs, pair_starts, pair_targets)


@kernel
def _number_pairs(
    source_ids: NDArray[np.int32],
    source_starts: NDArray[np.int64],
    target_ids: NDArray[np.int32],
    target_starts: NDArray[np.int64],
    starts: NDArray[np.int64],
    num_sources: int,
    num_targets: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Go through the occurrences of each source word in turn, which takes no hash and no sort."""
    begins, sentences, positions = _find_occurrences(source_ids, source_starts, num_sources)
    pairs = np.empty(starts[-1], np.int32)
    pair_starts = np.zeros(num_sources + 1, np.int64)
    last_met = np.full(num_targets, -1, np.int32)  # the last source word met by each target word
    last_pair = np.empty(num_targets, np.int32)  # and the number of that pair
    num_pairs = np.int64(0)
    for word in range(num_sources):
        for place in range(begins[word], begins[word + 1]):
            n = sentences[place]
            length = target_starts[n + 1] - target_starts[n]
            row = starts[n] + positions[place] * length
            for j in range(length):
                met = target_ids[target_starts[n] + j]
                if last_met[met] != word:
                    last_met[met] = word
                    last_pair[met] = num_pairs
                    num_pairs += 1
                pairs[row + j] = last_pair[met]
        pair_starts[word + 1] = num_pairs
    return pairs, pair_starts


@kernel
def _find_occurrences(
    ids: NDArray[np.int32], starts: NDArray[np.int64], num_words: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Where those of each word begin; the sentence and the position there of each."""
    begins = np.zeros(num_words + 1, np.int64)
    for word in ids:
        begins[word + 1] += 1
    begins = np.cumsum(begins)
    places = begins.copy()
    sentences = np.empty(len(ids), np.int32)
    positions = np.empty(len(ids), np.int32)
    for n in range(len(starts) - 1):
        for at in range(starts[n], starts[n + 1]):
            place = places[ids[at]]
            places[ids[at]] += 1
            sentences[place] = n
            positions[place] = at - starts[n]
    return begins, sentences, positions


@kernel
def _targets_of_pairs(
    target_ids: NDArray[np.int32],
    target_starts: NDArray[np.int64],
    starts: NDArray[np.int64],
    pairs: NDArray[np.int32],
    num_pairs: int,
) -> NDArray[np.int32]:
    targets = np.empty(num_pairs, np.int32)
    for n in range(len(starts) - 1):
        length = target_starts[n + 1] - target_starts[n]
        for cell in range(starts[n], starts[n + 1]):
            targets[pairs[cell]] = target_ids[target_starts[n] + (cell - starts[n]) % length]
    return targets
