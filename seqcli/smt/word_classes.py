"""Words in classes by what stands beside them: the exchange algorithm (Kneser and Ney, 1993).

A word is moved from class to class as long as that makes the text more probable under a bigram
model of classes (Martin et al., 1998): words that come before and after the same classes meet.
"""

from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Floats, Ids, Places
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel, leaf
from seqcli.tokenizers.vocabulary import UNK

FIRST_CLASS = UNK + 1  # the special pieces stay what they are
PASSES = 8  # over all words, at most
BETWEEN = 0  # the class of the bounds of sentences
CHANCE = 1e-12  # of a gain: less is an error of rounding


def learn_classes(sentences: Sentences, num_words: int, num_classes: int) -> Ids:
    """The class of each of the words by their ids: from FIRST_CLASS on, special pieces themselves.

    Words that the sentences do not have are in the class of UNK. The same text gives the same
    classes.
    """
    before, after = _bigrams(sentences)
    counts = np.bincount(after, minlength=num_words)
    counts[: UNK + 1] = 0  # neither the bounds nor what is unknown are moved
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    classes = np.full(num_words, UNK)
    classes[: UNK + 1] = np.arange(UNK + 1)
    classes[order] = FIRST_CLASS + np.arange(len(order)) % num_classes
    by_before, by_after = np.argsort(before, kind="stable"), np.argsort(after, kind="stable")
    words = np.arange(num_words + 1)
    _exchange(
        classes,
        FIRST_CLASS + num_classes,
        order,
        after[by_before],
        np.searchsorted(before[by_before], words),
        before[by_after],
        np.searchsorted(after[by_after], words),
    )
    return classes.astype(np.int32)


def _bigrams(sentences: Sentences) -> tuple[Places, Places]:
    """The words of each pair of neighbours; the bounds of sentences are the word BETWEEN."""
    places = sentences.starts[1:-1]
    bounded = np.insert(sentences.ids, places, BETWEEN).astype(np.int64)
    return np.append(BETWEEN, bounded), np.append(bounded, BETWEEN)


class _Counts(NamedTuple):
    """What a bigram model of classes counts, and the room for what stands beside one word."""

    pairs: Floats  # C, C: neighbours, the left class first
    totals: Floats  # C
    after: Floats  # C: classes after the word, the word itself left out
    before: Floats  # C
    found_after: Places  # those of them that are there, in any order
    found_before: Places


@leaf
def _information(count: float) -> float:
    return count * np.log(count) if count > 0 else 0.0


@leaf
def _more(known: float, new: float) -> float:
    return _information(known + new) - _information(known)


@leaf
def _count_neighbours(
    word: int, classes: Places, others: Places, starts: Places, counts: Floats, found: Places
) -> int:
    """Count the classes beside a word, without the word itself; return how many were found."""
    num_found = 0
    for place in range(starts[word], starts[word + 1]):
        other = others[place]
        if other != word:
            if counts[classes[other]] == 0:
                found[num_found] = classes[other]
                num_found += 1
            counts[classes[other]] += 1
    return num_found


@leaf
def _shift(counts: _Counts, to: int, sign: int, occurrences: int, alone: float) -> None:
    """Add the word to the counts of a class, or take it out."""
    for other in range(len(counts.totals)):
        counts.pairs[to, other] += sign * counts.after[other]
        counts.pairs[other, to] += sign * counts.before[other]
    counts.pairs[to, to] += sign * alone
    counts.totals[to] += sign * occurrences


@leaf
def _gain(
    counts: _Counts, new: int, occurrences: int, alone: float, num_after: int, num_before: int
) -> float:
    """How much more probable the text gets if the word, which is in no class, comes into one."""
    inside = counts.after[new] + counts.before[new] + alone
    gain = _more(counts.pairs[new, new], inside) - 2 * _more(counts.totals[new], occurrences)
    for other in counts.found_after[:num_after]:
        if other != new:
            gain += _more(counts.pairs[new, other], counts.after[other])
    for other in counts.found_before[:num_before]:
        if other != new:
            gain += _more(counts.pairs[other, new], counts.before[other])
    return gain


@leaf
def _best_class(
    counts: _Counts, old: int, occurrences: int, alone: float, num_after: int, num_before: int
) -> int:
    """The class that suits the word best: the old one unless another is clearly better."""
    best, most = old, _gain(counts, old, occurrences, alone, num_after, num_before)
    for new in range(FIRST_CLASS, len(counts.totals)):
        gain = _gain(counts, new, occurrences, alone, num_after, num_before)
        if gain > most + CHANCE * max(1.0, abs(most)):
            best, most = new, gain
    return best


@kernel
def _exchange(
    classes: Places,
    num_classes: int,
    order: Places,
    nexts: Places,
    next_starts: Places,
    lasts: Places,
    last_starts: Places,
) -> None:
    """Move words to better classes, in place, until none moves any more.

    `nexts` are the words after each occurrence of each word, `lasts` those before.
    """
    room, found = np.zeros((3, num_classes)), np.empty((2, num_classes), np.int64)
    pairs = np.zeros((num_classes, num_classes))
    counts = _Counts(pairs, room[0], room[1], room[2], found[0], found[1])
    for word in range(len(classes)):
        for place in range(next_starts[word], next_starts[word + 1]):
            counts.pairs[classes[word], classes[nexts[place]]] += 1
            counts.totals[classes[nexts[place]]] += 1
    for _ in range(PASSES):
        moved = False
        for word in order:
            room[1:] = 0
            num_after = _count_neighbours(word, classes, nexts, next_starts, room[1], found[0])
            num_before = _count_neighbours(word, classes, lasts, last_starts, room[2], found[1])
            occurrences = last_starts[word + 1] - last_starts[word]
            alone = next_starts[word + 1] - next_starts[word] - room[1].sum()  # beside itself
            old = classes[word]
            _shift(counts, old, -1, occurrences, alone)
            new = _best_class(counts, old, occurrences, alone, num_after, num_before)
            _shift(counts, new, 1, occurrences, alone)
            classes[word] = new
            moved = moved or new != old
        if not moved:
            break
