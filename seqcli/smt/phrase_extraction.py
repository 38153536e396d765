"""Phrase pairs that a word alignment allows, extracted and counted (Och and Ney, 2004).

A run of source words and a run of target words are a pair if at least one link joins them and no
link leads from one of them to outside the other. Words without a link may stand at their edges.

How a pair stands to the phrase before is seen from the pairs that end where it begins: monotone if
one ends before its first word on both sides, swap if one ends before its first target word and
begins after its last source word. Both or neither is discontinuous. To the phrase after it is the
mirror image. The begins of a sentence pair count as a phrase before, its ends as one after.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import Floats, Ids, Places, Singles
from seqcli.smt.corpus import Sentences
from seqcli.smt.features import DISCONTINUOUS, MONOTONE, SWAP
from seqcli.smt.kernel import kernel
from seqcli.smt.lexicon import Lexicon, linked_words, word_weights
from seqcli.smt.links import Links
from seqcli.smt.options import LONGEST_PHRASE
from seqcli.smt.phrase_numbers import PhraseNumbers, number_phrases
from seqcli.smt.reordering import NUM_ORIENTATIONS

CHUNKS = 8  # of the text for each thread
LARGE = 2**31 - 1  # beyond any position
FIRST_FIRST, LAST_LAST, FIRST_LAST, LAST_FIRST = 1, 2, 4, 8  # corners: source word, target word

Span = tuple[int, int, int, int]  # the first and the last source word, then the target's


class PhraseCounts(NamedTuple):
    """The P distinct phrase pairs of a text, sorted by the numbers of source, then target."""

    source: Ids
    target: Ids
    counts: Ids
    orientations: Ids  # P, 6: counts of the three to the phrase before, then to the one after
    lexical: Singles  # P, 2: log lex(source | target), log lex(target | source)
    source_phrases: PhraseNumbers
    target_phrases: PhraseNumbers


class _Text(NamedTuple):
    """What the kernel reads: aligned sentences, and the weight and the links of each word."""

    source_starts: Places
    target_starts: Places
    source_weights: Floats
    target_weights: Floats
    source_phrases: Ids
    target_phrases: Ids
    link_starts: Places  # of each source word, in `linked`
    linked: Ids  # positions of target words
    first_link: Ids  # of each target word: the source position; LARGE if there is none
    last_link: Ids  # -1 if there is none


class _Found(NamedTuple):
    """Phrase pairs as they stand in the text, one for each time."""

    source: Ids
    target: Ids
    orientations: NDArray[np.uint8]  # 3 times the one to the phrase before, plus that to the next
    lexical: Singles


def count_phrases(
    source: Sentences,
    target: Sentences,
    links: Links,
    lexicon: Lexicon,
    *,
    longest: int = LONGEST_PHRASE,
    threads: int = 1,
) -> PhraseCounts:
    """Extract all phrase pairs of up to `longest` words a side, and count them.

    Of a pair that is aligned in several ways each lexical weight is the best one. The result does
    not depend on `threads`. Raises DataError if the alignment is not that of the sentences.
    """
    source_phrases = number_phrases(source, longest)
    target_phrases = number_phrases(target, longest)
    source_weights, target_weights = word_weights(lexicon, source, target, links)
    source_words, target_words = linked_words(source, target, links)
    first_link = np.full(len(target.ids), LARGE, np.int32)
    last_link = np.full(len(target.ids), -1, np.int32)
    np.minimum.at(first_link, target_words, links.source)
    np.maximum.at(last_link, target_words, links.source)
    text = _Text(
        source.starts,
        target.starts,
        source_weights,
        target_weights,
        source_phrases.numbers,
        target_phrases.numbers,
        np.searchsorted(source_words, np.arange(len(source.ids) + 1)),
        links.target,
        first_link,
        last_link,
    )
    return _count(_extract(text, threads), source_phrases, target_phrases)


def _extract(text: _Text, threads: int) -> _Found:
    """Count the phrase pairs of each chunk of the text, then write them one after another."""
    bounds = np.linspace(0, len(text.source_starts) - 1, CHUNKS * threads + 1).astype(np.int64)
    chunks = list(pairwise(bounds.tolist()))

    def extract(chunk: tuple[int, int], at: int, found: _Found) -> int:
        return _extract_pairs(text, *chunk, at, found)

    with ThreadPoolExecutor(threads) as pool:
        sizes = list(pool.map(extract, chunks, repeat(0), repeat(_room_for(0))))
        found = _room_for(sum(sizes))
        list(pool.map(extract, chunks, accumulate(sizes, initial=0), repeat(found)))
    return found


def _room_for(count: int) -> _Found:
    return _Found(
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.uint8),
        np.empty((count, 2), np.float32),
    )


@kernel
def _extract_pairs(text: _Text, first: int, last: int, at: int, found: _Found) -> int:
    """Write the phrase pairs of some sentences from `at` on, if there is room; count them."""
    count = 0
    for n in range(first, last):
        spans = _find_spans(text, n)
        if len(found.source) > 0:
            corners = _mark_corners(text, n, spans)
            for place, span in enumerate(spans):
                _write(text, n, span, corners, at + count + place, found)
        count += len(spans)
    return count


@kernel
def _find_spans(text: _Text, n: int) -> list[Span]:
    """Find the phrase pairs of a sentence.

    `low` and `high` bound the links of the source words [i, k]; [j, m] are the target words.
    """
    spans = [(0, 0, 0, 0) for _ in range(0)]
    longest = text.source_phrases.shape[1]
    source_begin, target_begin = text.source_starts[n], text.target_starts[n]
    source_length = text.source_starts[n + 1] - source_begin
    target_length = text.target_starts[n + 1] - target_begin
    first_link = text.first_link[target_begin : target_begin + target_length]
    last_link = text.last_link[target_begin : target_begin + target_length]
    for i in range(source_length):
        low, high = int(target_length), -1
        for k in range(i, min(source_length, i + longest)):
            begin = text.link_starts[source_begin + k]
            end = text.link_starts[source_begin + k + 1]
            if begin < end:
                low = min(low, int(text.linked[begin]))
                high = max(high, int(text.linked[end - 1]))
            if high - low >= longest:
                break
            if high < 0 or not _stay_inside(first_link, last_link, low, high, i, k):
                continue
            j = low
            while j >= 0 and high - j < longest and (j == low or last_link[j] < 0):
                m = high
                while m < target_length and m - j < longest and (m == high or last_link[m] < 0):
                    spans.append((i, k, j, m))
                    m += 1
                j -= 1
    return spans


@kernel
def _stay_inside(first_link: Ids, last_link: Ids, low: int, high: int, i: int, k: int) -> bool:
    """Whether the target words [low, high] are linked to none but the source words [i, k]."""
    for j in range(low, high + 1):
        if last_link[j] > k or (last_link[j] >= 0 and first_link[j] < i):
            return False
    return True


@kernel
def _mark_corners(text: _Text, n: int, spans: list[Span]) -> NDArray[np.uint8]:
    """Mark which corners of phrase pairs are at cell (source + 1, target + 1).

    The begins and the ends of the sentence, just outside it, are the corners of neighbours.
    """
    source_length = text.source_starts[n + 1] - text.source_starts[n]
    target_length = text.target_starts[n + 1] - text.target_starts[n]
    corners = np.zeros((source_length + 2, target_length + 2), np.uint8)
    corners[0, 0] = LAST_LAST
    corners[source_length + 1, target_length + 1] = FIRST_FIRST
    for i, k, j, m in spans:
        corners[i + 1, j + 1] |= FIRST_FIRST
        corners[k + 1, m + 1] |= LAST_LAST
        corners[i + 1, m + 1] |= FIRST_LAST
        corners[k + 1, j + 1] |= LAST_FIRST
    return corners


@kernel
def _write(
    text: _Text, n: int, span: Span, corners: NDArray[np.uint8], at: int, found: _Found
) -> None:
    i, k, j, m = span
    source_begin, target_begin = text.source_starts[n], text.target_starts[n]
    found.source[at] = text.source_phrases[source_begin + i, k - i]
    found.target[at] = text.target_phrases[target_begin + j, m - j]
    before = _orientation(corners[i, j] & LAST_LAST != 0, corners[k + 2, j] & FIRST_LAST != 0)
    after = _orientation(
        corners[k + 2, m + 2] & FIRST_FIRST != 0, corners[i, m + 2] & LAST_FIRST != 0
    )
    found.orientations[at] = NUM_ORIENTATIONS * before + after
    found.lexical[at, 0] = text.source_weights[source_begin + i : source_begin + k + 1].sum()
    found.lexical[at, 1] = text.target_weights[target_begin + j : target_begin + m + 1].sum()


@kernel
def _orientation(is_straight: bool, is_crossed: bool) -> int:
    if is_straight == is_crossed:
        return DISCONTINUOUS
    return MONOTONE if is_straight else SWAP


def _count(
    found: _Found, source_phrases: PhraseNumbers, target_phrases: PhraseNumbers
) -> PhraseCounts:
    """Bring equal pairs together."""
    keys = found.source * np.int64(len(target_phrases.lengths)) + found.target
    order = np.argsort(keys)
    keys = keys[order]
    is_new = np.diff(keys, prepend=-1) > 0
    starts, pairs = np.flatnonzero(is_new), np.cumsum(is_new) - 1
    orientations = np.empty((len(starts), 2, NUM_ORIENTATIONS), np.int32)
    for side, ofs in enumerate(np.divmod(found.orientations[order], NUM_ORIENTATIONS)):
        cells = np.bincount(pairs * NUM_ORIENTATIONS + ofs, minlength=orientations[:, 0].size)
        orientations[:, side] = cells.reshape(-1, NUM_ORIENTATIONS)
    lexical = found.lexical[order]
    return PhraseCounts(
        found.source[order[starts]],
        found.target[order[starts]],
        np.diff(starts, append=len(keys)).astype(np.int32),
        orientations.reshape(-1, 2 * NUM_ORIENTATIONS),
        np.maximum.reduceat(lexical, starts) if len(starts) else lexical,
        source_phrases,
        target_phrases,
    )
