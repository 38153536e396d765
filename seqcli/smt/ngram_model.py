"""An n-gram language model with backoff as a trie in flat arrays, which kernels can ask.

Each n-gram is a node and stands below its first n - 1 words. Nodes are numbered order by order and
by (context, word) inside an order, so that the children of a node stand together, sorted by word.
Node 0 is the empty context, node 1 + w the word w: every word of the vocabulary has one.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Floats, Ids, Places, Singles, broken, load_arrays, save_arrays
from seqcli.smt.kernel import kernel, open_leaf
from seqcli.tokenizers.vocabulary import BOS, EOS, UNK

ROOT = 0  # the empty context
LOWEST = -99 * float(np.log(10))  # of what is never predicted, such as <s>; -99 in ARPA files


class NgramArrays(NamedTuple):
    """A trie of N n-grams over V words, of which the first M nodes are below the highest order.

    Natural logarithms. `state_after` leads from each node to the longest end of its words that can
    still matter: one that has children or a backoff weight of its own.
    """

    words: Ids  # N: the last word of the n-gram
    log_probabilities: Singles  # N: of that word after the others
    state_after: Ids  # N: a node below M
    child_starts: Ids  # M + 1: the children of node n are child_starts[n] to child_starts[n + 1]
    backoffs: Singles  # M: the log of the share that goes to the next shorter context
    suffixes: Ids  # M: the node of the longest proper end of the words that is there


class Ngrams(NamedTuple):
    """All n-grams of one order, sorted by (context, word), each once."""

    contexts: Places  # nodes of the order below
    words: Ids
    log_probabilities: Singles
    backoffs: Singles  # ignored for the highest order


@open_leaf
def find_child(arrays: NgramArrays, node: np.int64, word: np.int32) -> np.int64:
    """Return the node of `word` after the words of `node` (below M), or -1."""
    low = np.int64(arrays.child_starts[node])
    end = high = np.int64(arrays.child_starts[node + 1])
    while low < high:
        middle = (low + high) >> 1
        if arrays.words[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < end and arrays.words[low] == word else np.int64(-1)


@open_leaf
def next_word(arrays: NgramArrays, state: np.int64, word: np.int32) -> tuple[np.float64, np.int64]:
    """Return the log-probability of a word after a state, in nats, and the state after it.

    Equal states have equal futures. Any id of the vocabulary is allowed, EOS among them.
    """
    log_backoff = np.float64(0)
    child = np.int64(-1)
    while state != ROOT:
        child = find_child(arrays, state, word)
        if child >= 0:
            break
        log_backoff += arrays.backoffs[state]
        state = np.int64(arrays.suffixes[state])
    if state == ROOT:
        child = np.int64(1 + word)
    return log_backoff + arrays.log_probabilities[child], np.int64(arrays.state_after[child])


@kernel
def _score(arrays: NgramArrays, begin_state: np.int64, ids: Ids, starts: Places) -> Floats:
    """Return the log-probability of each word and, after the last of a sentence, of its end."""
    found = np.empty(len(ids) + len(starts) - 1)
    place = 0
    for sentence in range(len(starts) - 1):
        state = begin_state
        for index in range(starts[sentence], starts[sentence + 1]):
            found[place], state = next_word(arrays, state, ids[index])
            place += 1
        found[place], state = next_word(arrays, state, np.int32(EOS))
        place += 1
    return found


class NgramModel:
    """An n-gram model over the ids of a vocabulary; immutable."""

    def __init__(self, arrays: NgramArrays) -> None:
        self.arrays = arrays

    @property
    def vocabulary_size(self) -> int:
        return int(self.arrays.child_starts[1]) - 1

    @property
    def begin_state(self) -> int:
        """The state at the begin of a sentence."""
        return int(self.arrays.state_after[1 + BOS])

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of n-grams of each order."""
        sizes, first, end = [], 1, 1 + self.vocabulary_size
        while first < end:
            sizes.append(end - first)
            is_highest = first >= len(self.arrays.backoffs)
            first, end = end, end if is_highest else int(self.arrays.child_starts[end])
        return tuple(sizes)

    @property
    def order(self) -> int:
        return len(self.sizes)

    def next_word(self, state: int, word: int) -> tuple[float, int]:
        """Do as the kernel `next_word`."""
        log_probability, following = next_word(self.arrays, np.int64(state), np.int32(word))
        return float(log_probability), int(following)

    def score(self, ids: Ids, starts: Places) -> Floats:
        """Score sentences, one after another in `ids`; sentence n begins at `starts[n]`.

        Returns log-probabilities in nats: of each word and, after those of a sentence, of its end.
        """
        return _score(self.arrays, np.int64(self.begin_state), ids, starts)

    def distribution(self, state: int) -> Floats:
        """Return the log-probability of each word of the vocabulary after a state."""
        arrays = self.arrays
        chain = []
        while state != ROOT:
            chain.append(state)
            state = int(arrays.suffixes[state])
        found = arrays.log_probabilities[1 : 1 + self.vocabulary_size].astype(np.float64)
        for node in reversed(chain):
            children = slice(arrays.child_starts[node], arrays.child_starts[node + 1])
            found += arrays.backoffs[node]
            found[arrays.words[children]] = arrays.log_probabilities[children]
        return found

    @classmethod
    def from_orders(cls, orders: Sequence[Ngrams]) -> "NgramModel":
        """Build a model from its n-grams; those of order 1 are all words by their ids."""
        return cls(_build(orders))

    @classmethod
    def from_ngrams(
        cls, ngrams: Mapping[tuple[int, ...], tuple[float, float]], vocabulary_size: int
    ) -> "NgramModel":
        """Build a small model from log-probability and log backoff by n-gram.

        Words that are missing are as probable as UNK. Each context must be there: KeyError.
        """
        unknown, _ = ngrams.get((UNK,), (LOWEST, 0.0))
        weights_of: dict[tuple[int, ...], tuple[float, float]]
        weights_of = {(word,): (unknown, 0.0) for word in range(vocabulary_size)}
        weights_of |= {(BOS,): (LOWEST, 0.0), **ngrams}
        ordered = sorted(weights_of, key=lambda ngram: (len(ngram), ngram))
        nodes = {(): ROOT, **{ngram: node for node, ngram in enumerate(ordered, start=1)}}
        contexts_of = {ngram: nodes[ngram[:-1]] for ngram in ordered}
        orders = []
        for order in range(1, len(ordered[-1]) + 1):
            of_order = [ngram for ngram in ordered if len(ngram) == order]
            weights = np.array([weights_of[ngram] for ngram in of_order], np.float32)
            contexts = np.array([contexts_of[ngram] for ngram in of_order], np.int64)
            words = np.array([ngram[-1] for ngram in of_order], np.int32)
            orders.append(Ngrams(contexts, words, weights[:, 0], weights[:, 1]))
        return cls.from_orders(orders)


def _build(orders: Sequence[Ngrams]) -> NgramArrays:
    """Put the orders into one trie and link each node with its longest proper end."""
    vocabulary_size = len(orders[0].words)
    contexts = np.concatenate([[-1], *(ngrams.contexts for ngrams in orders)])
    words = np.concatenate([np.zeros(1, np.int32), *(ngrams.words for ngrams in orders)])
    keys = contexts * vocabulary_size + words  # rises with the node
    num_lower = len(words) - len(orders[-1].words)
    child_starts = np.searchsorted(contexts, np.arange(num_lower + 1)).astype(np.int32)
    zero = np.zeros(1, np.float32)
    backoffs = np.concatenate([zero, *(ngrams.backoffs for ngrams in orders[:-1])])
    matters = np.zeros(len(words), bool)
    matters[:num_lower] = (np.diff(child_starts) > 0) | (backoffs != 0)
    suffixes = np.zeros(len(words), np.int32)
    state_after = np.zeros(len(words), np.int32)
    first = 1
    for ngrams in orders:
        nodes = np.arange(first, first + len(ngrams.words), dtype=np.int32)
        if first > 1:
            suffixes[nodes] = _find_ends(keys, suffixes, ngrams, vocabulary_size)
        state_after[nodes] = np.where(matters[nodes], nodes, state_after[suffixes[nodes]])
        first += len(nodes)
    return NgramArrays(
        words,
        np.concatenate([zero, *(ngrams.log_probabilities for ngrams in orders)]),
        state_after,
        child_starts,
        backoffs,
        suffixes[:num_lower].copy(),
    )


def _find_ends(keys: Places, suffixes: Ids, ngrams: Ngrams, vocabulary_size: int) -> Places:
    """Return the node of the longest proper end of each n-gram; below these all are linked."""
    contexts = suffixes[ngrams.contexts].astype(np.int64)
    found = np.zeros(len(contexts), np.int64)
    waiting = np.arange(len(contexts))
    while len(waiting):
        wanted = contexts[waiting] * vocabulary_size + ngrams.words[waiting]
        places = np.searchsorted(keys, wanted)  # a child of the root, at least, is there
        is_there = keys[np.minimum(places, len(keys) - 1)] == wanted
        found[waiting[is_there]] = places[is_there]
        waiting = waiting[~is_there]
        contexts[waiting] = suffixes[contexts[waiting]]
    return found


def save_ngram_model(model: NgramModel, folder: Path) -> None:
    """Write the arrays to files in `folder`, which is there. Raises OutputError."""
    save_arrays(model.arrays, folder)


def load_ngram_model(folder: Path) -> NgramModel:
    """Open what `save_ngram_model` wrote, by memory map. Raises ModelError if it is broken."""
    arrays = load_arrays(NgramArrays, folder)
    fault = _fault_of(arrays)
    if fault:
        raise broken(folder, fault)
    return NgramModel(arrays)


def _fault_of(arrays: NgramArrays) -> str:
    """What would lead a kernel out of the arrays or round in a circle, "" if nothing."""
    for name, array in arrays._asdict().items():
        wanted = np.float32 if name in ("log_probabilities", "backoffs") else np.int32
        if array.dtype != wanted or array.ndim != 1:
            return f"{name} is not a row of {wanted.__name__}"
        if wanted is np.float32 and not np.isfinite(array).all():
            return f"{name} holds what is no number"
    num_ngrams, num_lower = len(arrays.words), len(arrays.backoffs)
    lengths = [len(array) for array in arrays]
    if lengths != [num_ngrams, num_ngrams, num_ngrams, num_lower + 1, num_lower, num_lower]:
        return "the arrays do not belong together"
    starts, nodes = arrays.child_starts, np.arange(num_lower)
    if not (num_lower and starts[0] == 1 and starts[-1] == num_ngrams):
        return "the n-grams are not all below a context"
    if (np.diff(starts) < 0).any() or (starts[:-1] <= nodes).any() or starts[1] <= 1 + UNK:
        return "the contexts are not in order"
    if not (arrays.words[1 : starts[1]] == np.arange(starts[1] - 1)).all():
        return "a word is missing"
    for name, most in (("state_after", num_lower), ("words", starts[1] - 1)):
        array = getattr(arrays, name)
        if array.min() < 0 or array.max() >= most:
            return f"{name} leads nowhere"
    if arrays.suffixes[0] != ROOT or (arrays.suffixes < 0).any():
        return "suffixes lead nowhere"
    return "suffixes lead round" if (arrays.suffixes[1:] >= nodes[1:]).any() else ""
