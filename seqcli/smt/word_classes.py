"""Words in classes by what stands beside them: the exchange algorithm (Kneser and Ney, 1993).

A word is moved from class to class as long as that makes the text more probable under a bigram
model of classes (Martin et al., 1998): words that come before and after the same classes meet.
"""

import numpy as np

from seqcli.smt.arrays import Floats, Ids, Places
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel, leaf
from seqcli.tokenizers.vocabulary import UNK

FIRST_CLASS = UNK + 1  # the special pieces stay what they are
PASSES = 8  # over all words, at most
BETWEEN = 0  # the class of the bounds of sentences


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


@leaf
def _information(count: float) -> float:
    return count * np.log(count) if count > 0 else 0.0


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
    pairs, totals = np.zeros((num_classes, num_classes)), np.zeros(num_classes)
    for word in range(len(classes)):
        for place in range(next_starts[word], next_starts[word + 1]):
            pairs[classes[word], classes[nexts[place]]] += 1
            totals[classes[nexts[place]]] += 1
    after, before = np.zeros(num_classes), np.zeros(num_classes)
    found_after, found_before = np.empty(num_classes, np.int64), np.empty(num_classes, np.int64)
    for _ in range(PASSES):
        moved = False
        for word in order:
            num_after = _count_neighbours(word, classes, nexts, next_starts, after, found_after)
            num_before = _count_neighbours(word, classes, lasts, last_starts, before, found_before)
            count = last_starts[word + 1] - last_starts[word]
            alone = next_starts[word + 1] - next_starts[word] - after.sum()  # beside itself
            old = classes[word]
            _shift(pairs, totals, old, -1, count, alone, after, before)
            best, most = old, -np.inf
            for new in range(FIRST_CLASS, num_classes):
                gain = 2 * (_information(totals[new]) - _information(totals[new] + count))
                own = pairs[new, new]
                gain += _information(own + after[new] + before[new] + alone) - _information(own)
                for place in range(num_after):
                    other = found_after[place]
                    if other != new:
                        known = pairs[new, other]
                        gain += _information(known + after[other]) - _information(known)
                for place in range(num_before):
                    other = found_before[place]
                    if other != new:
                        known = pairs[other, new]
                        gain += _information(known + before[other]) - _information(known)
                if gain > most + 1e-9:
                    best, most = new, gain
            _shift(pairs, totals, best, 1, count, alone, after, before)
            classes[word] = best
            moved = moved or best != old
            after[:] = 0
            before[:] = 0
        if not moved:
            break


@leaf
def _shift(
    pairs: Floats,
    totals: Floats,
    to: int,
    sign: int,
    count: int,
    alone: float,
    after: Floats,
    before: Floats,
) -> None:
    """Add a word to the counts of a class, or take it out."""
    for other in range(len(totals)):
        pairs[to, other] += sign * after[other]
        pairs[other, to] += sign * before[other]
    pairs[to, to] += sign * alone
    totals[to] += sign * count
