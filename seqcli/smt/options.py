"""Translation options: the ways to translate each span of one sentence, scored and ordered."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import Floats, Ids, Places, Singles
from seqcli.smt.coverage import Whole, bits_of
from seqcli.smt.features import (
    CLASS_MODEL,
    DISTORTION,
    FROM_PREVIOUS,
    LANGUAGE_MODEL,
    NUM_FEATURES,
    PHRASES,
    RARE,
    TO_NEXT,
    TRANSLATION,
    UNKNOWN,
    WORDS,
)
from seqcli.smt.kernel import kernel, leaf, part
from seqcli.smt.language_models import UNKNOWN_CONTEXT, LanguageModels, next_words
from seqcli.smt.phrase_table import PhraseTable, find_phrases

LONGEST_PHRASE = 7  # source words of a phrase
COPIED = -1  # the pair of an option that copies an unknown word

Bits = NDArray[np.uint64]


class Options(NamedTuple):
    """The O options of a sentence of N words; those of span s are [starts[s]:starts[s + 1]].

    Spans are sorted by begin, then end; inside a span the option that looks best is the first.
    """

    span_at: Ids  # N, LONGEST_PHRASE: the span of so many words, less one, from here on, or -1
    starts: Places
    low: Bits  # the source words of each span
    high: Bits
    begin: Ids  # O: its first source word
    end: Ids  # O: the source word after its last
    pair: Places  # O: its place in the phrase table, or COPIED
    target_starts: Places  # O + 1
    target_ids: Ids
    features: Floats  # O, NUM_FEATURES; the language models without the words before, no distortion
    score: Floats  # O: of the features that do not depend on the neighbours
    reordering: Floats  # O, 6: weighted; three orientations to the phrase before, three to the next
    to_next: Floats  # O: the best of the latter three
    order: Ids  # 3, O: inside each span the options for each orientation, best first
    looks: Floats  # 3, O: what these options are worth where the neighbours suit them
    reordering_class: Ids  # O: equal if the span and the scores to the next phrase are equal
    future: Floats  # N + 1, N + 1: the best that a part of the sentence can still bring


class _Choice(NamedTuple):
    """Spans and options as in `Options`."""

    span_at: Ids
    starts: Places
    begin: Ids
    end: Ids
    pair: Places
    features: Floats


@leaf
def phrase_estimate(models: LanguageModels, ids: Ids) -> tuple[float, float]:
    """What the language models say of words whose context is not known yet."""
    of_words, of_classes, state = 0.0, 0.0, UNKNOWN_CONTEXT
    for word in ids:
        of_word, of_class, state = next_words(models, state, word)
        of_words += of_word
        of_classes += of_class
    return of_words, of_classes


@leaf
def _fill_features(
    table: PhraseTable, models: LanguageModels, estimates: Singles, pair: int, features: Floats
) -> None:
    """Write all features of a phrase pair but the distortion."""
    first, last = table.target_starts[pair], table.target_starts[pair + 1]
    of_words, of_classes = estimates[pair, 0], estimates[pair, 1]
    if np.isnan(of_words) or np.isnan(of_classes):  # another thread may have written one of them
        both = phrase_estimate(models, table.target_ids[first:last])
        of_words, of_classes = np.float32(both[0]), np.float32(both[1])
        estimates[pair, 0], estimates[pair, 1] = of_words, of_classes
    features[LANGUAGE_MODEL], features[CLASS_MODEL] = of_words, of_classes
    features[WORDS] = last - first
    features[PHRASES] = 1
    features[RARE] = table.scores[pair, 4]
    for index in range(4):
        features[TRANSLATION + index] = table.scores[pair, index]
    for index in range(6):
        features[FROM_PREVIOUS + index] = table.reordering[pair, index]


@leaf
def _optimistic(weights: Floats, features: Floats) -> float:
    """The score of an option in the neighbourhood that is best for it."""
    total = 0.0
    for index in range(DISTORTION):
        total += weights[index] * features[index]
    for kind in (FROM_PREVIOUS, TO_NEXT):
        best = -np.inf
        for orientation in range(3):
            best = max(best, weights[kind + orientation] * features[kind + orientation])
        total += best
    return total


@leaf
def _rank(keys: Floats, first: int, last: int, limit: int, places: Ids | Places) -> int:
    """Write where the `limit` highest of some keys stand, the highest first; return how many."""
    found = 0
    for index in range(first, last):
        place = found
        if found < limit:
            found += 1
        elif keys[index] > keys[places[found - 1]]:
            place -= 1
        else:
            continue
        while place > 0 and keys[places[place - 1]] < keys[index]:
            places[place] = places[place - 1]
            place -= 1
        places[place] = index
    return found


@leaf
def _best_pairs(
    table: PhraseTable,
    models: LanguageModels,
    estimates: Singles,
    weights: Floats,
    phrase: int,
    limit: int,
    keys: Floats,
    features: Floats,
    pairs: Places,
) -> int:
    """Write the best pairs of a source phrase, best first, and their features; return how many.

    `keys` is room for the scores of all pairs of the phrase.
    """
    first, last = table.pair_starts[phrase], table.pair_starts[phrase + 1]
    for index in range(last - first):
        _fill_features(table, models, estimates, first + index, features[0])
        keys[index] = _optimistic(weights, features[0])
    count = _rank(keys, 0, last - first, limit, pairs)
    for place in range(count):
        pairs[place] += first
        _fill_features(table, models, estimates, pairs[place], features[place])
    return count


@kernel
def find_options(
    table: PhraseTable,
    models: LanguageModels,
    estimates: Singles,
    weights: Floats,
    ids: Ids,
    copies: Ids,
    limit: int,
) -> Options:
    """Find the best `limit` options of each span of a sentence under the weights.

    `ids` are the words in the source vocabulary, `copies` those in the target's. A word that no
    phrase of one word translates is copied. UNK in `copies` is a word the target does not know.
    `estimates` keeps what the language models say of each pair from one sentence to the next: make
    it of NaN, as `no_estimates` does.
    """
    choice = _choose(table, models, estimates, weights, ids, copies, limit)
    return _scored_options(weights, choice, _gather_targets(table, choice, copies))


def no_estimates(table: PhraseTable) -> Singles:
    """Room for the language models' view of each pair; threads may share it."""
    return np.full((len(table.scores), 2), np.nan, np.float32)


@part
def _choose(
    table: PhraseTable,
    models: LanguageModels,
    estimates: Singles,
    weights: Floats,
    ids: Ids,
    copies: Ids,
    limit: int,
) -> _Choice:
    """Choose the options, span by span."""
    phrase_at, most, most_pairs = _phrases_at(table, ids, limit)
    keys = np.empty(most_pairs)
    pair, features = np.full(most, COPIED, np.int64), np.zeros((most, NUM_FEATURES))
    begin, end = np.empty(most, np.int32), np.empty(most, np.int32)
    span_at = np.full(phrase_at.shape, -1, np.int32)
    starts = np.zeros(phrase_at.size + 1, np.int64)
    count, spans = 0, 0
    for first in range(len(ids)):
        for index in range(min(LONGEST_PHRASE, len(ids) - first)):
            before, phrase = count, phrase_at[first, index]
            if phrase != COPIED:
                rows, pairs = features[count:], pair[count:]
                count += _best_pairs(
                    table, models, estimates, weights, phrase, limit, keys, rows, pairs
                )
            elif index == 0:
                _fill_copy(models, copies[first : first + 1], features[count])
                count += 1
            if count > before:
                begin[before:count], end[before:count] = first, first + index + 1
                span_at[first, index] = spans
                spans += 1
                starts[spans] = count
    return _Choice(
        span_at, starts[: spans + 1], begin[:count], end[:count], pair[:count], features[:count]
    )


@part
def _phrases_at(table: PhraseTable, ids: Ids, limit: int) -> tuple[Places, Whole, Whole]:
    """The phrase of each span, by begin and words less one, or COPIED.

    Also the most options that there can be, and the most pairs of a phrase.
    """
    found_begin, found_end, found_phrase = find_phrases(table, ids, LONGEST_PHRASE)
    phrase_at = np.full((len(ids), LONGEST_PHRASE), COPIED, np.int64)
    most, most_pairs = np.int64(len(ids)), np.int64(0)
    for index, phrase in enumerate(found_phrase):
        phrase_at[found_begin[index], found_end[index] - found_begin[index] - 1] = phrase
        num_pairs = table.pair_starts[phrase + 1] - table.pair_starts[phrase]
        most += min(np.int64(limit), num_pairs)
        most_pairs = max(most_pairs, num_pairs)
    return phrase_at, most, most_pairs


@leaf
def _fill_copy(models: LanguageModels, word: Ids, features: Floats) -> None:
    features[LANGUAGE_MODEL], features[CLASS_MODEL] = phrase_estimate(models, word)
    features[WORDS] = features[PHRASES] = features[UNKNOWN] = 1


@part
def _gather_targets(table: PhraseTable, choice: _Choice, copies: Ids) -> tuple[Places, Ids]:
    """The target words of all options, one after another, and where those of each begin."""
    pair = choice.pair
    starts = np.zeros(len(pair) + 1, np.int64)
    for option, place in enumerate(pair):
        length = 1
        if place != COPIED:
            length = table.target_starts[place + 1] - table.target_starts[place]
        starts[option + 1] = starts[option] + length
    ids = np.empty(starts[-1], np.int32)
    for option, place in enumerate(pair):
        if place == COPIED:
            ids[starts[option]] = copies[choice.begin[option]]
        else:
            first = table.target_starts[place]
            for index in range(starts[option + 1] - starts[option]):
                ids[starts[option] + index] = table.target_ids[first + index]
    return starts, ids


@leaf
def _weigh(
    weights: Floats, features: Floats, score: Floats, reordering: Floats, to_next: Floats
) -> None:
    """Write these three of `Options`."""
    for option in range(len(features)):
        score[option] = 0
        for index in range(WORDS, DISTORTION):
            score[option] += weights[index] * features[option, index]
        for index in range(6):
            weighted = weights[FROM_PREVIOUS + index] * features[option, FROM_PREVIOUS + index]
            reordering[option, index] = weighted
        to_next[option] = max(reordering[option, 3], reordering[option, 4], reordering[option, 5])


@part
def _scored_options(weights: Floats, choice: _Choice, targets: tuple[Places, Ids]) -> Options:
    """Weigh the features of the options, and order those of each span for each orientation."""
    features, count, spans = choice.features, len(choice.pair), len(choice.starts) - 1
    score, to_next, reordering = np.empty(count), np.empty(count), np.empty((count, 6))
    _weigh(weights, features, score, reordering, to_next)
    own = score + to_next + weights[LANGUAGE_MODEL] * features[:, LANGUAGE_MODEL]
    own += weights[CLASS_MODEL] * features[:, CLASS_MODEL]
    order, looks = np.empty((3, count), np.int32), np.empty((3, count))
    keys = np.empty(count)
    classes = np.arange(count).astype(np.int32)
    low, high = np.empty(spans, np.uint64), np.empty(spans, np.uint64)
    for span in range(spans):
        first, last = choice.starts[span], choice.starts[span + 1]
        _order_span(own, reordering, first, last, keys, order, looks)
        _find_classes(reordering, first, last, classes)
        low[span], high[span] = bits_of(choice.begin[first], choice.end[first])
    return Options(
        choice.span_at,
        choice.starts,
        low,
        high,
        choice.begin,
        choice.end,
        choice.pair,
        targets[0],
        targets[1],
        features,
        score,
        reordering,
        to_next,
        order,
        looks,
        classes,
        _future(choice, own, reordering),
    )


@leaf
def _order_span(
    own: Floats,
    reordering: Floats,
    first: int,
    last: int,
    keys: Floats,
    order: Ids,
    looks: Floats,
) -> None:
    """Order the options of a span for each orientation to the phrase before."""
    for orientation in range(3):
        for option in range(first, last):
            keys[option] = own[option] + reordering[option, orientation]
        _rank(keys, first, last, last - first, order[orientation, first:])
        for place in range(first, last):
            looks[orientation, place] = keys[order[orientation, place]]


@leaf
def _find_classes(reordering: Floats, first: int, last: int, classes: Ids) -> None:
    """Write for each option of a span the first that scores the next phrase like it."""
    for option in range(first, last):
        for other in range(first, option):
            if (
                reordering[option, 3] == reordering[other, 3]
                and reordering[option, 4] == reordering[other, 4]
                and reordering[option, 5] == reordering[other, 5]
            ):
                classes[option] = other
                break


@part
def _future(choice: _Choice, own: Floats, reordering: Floats) -> Floats:
    """The best sum of options over each part of a sentence, neighbours and jumps left aside."""
    length = len(choice.span_at)
    future = np.full((length + 1, length + 1), -np.inf)
    for place in range(length + 1):
        future[place, place] = 0
    for option in choice.starts[:-1]:  # the best of its span
        best = own[option] + reordering[option, :3].max()
        future[choice.begin[option], choice.end[option]] = best
    for width in range(2, length + 1):
        for first in range(length - width + 1):
            last = first + width
            for middle in range(first + 1, last):
                both = future[first, middle] + future[middle, last]
                future[first, last] = max(future[first, last], both)
    return future
