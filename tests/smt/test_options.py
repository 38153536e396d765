from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from seqcli.smt.features import FEATURES
from seqcli.smt.ngram_model import ROOT, NgramModel
from seqcli.smt.options import (
    COPIED,
    LONGEST_PHRASE,
    Options,
    find_options,
    no_estimates,
)
from tests.smt.toy_phrases import FIRST_WORD, UNKNOWN_SOURCE, Toy, make_toy, models_of

SENTENCE = [FIRST_WORD, UNKNOWN_SOURCE, FIRST_WORD + 1, FIRST_WORD + 2, FIRST_WORD + 1, FIRST_WORD]
WEIGHTS = np.random.default_rng(1).uniform(-0.3, 0.7, len(FEATURES))
LANGUAGE_MODEL, CLASS_MODEL, DISTORTION = map(
    FEATURES.index, ("language_model", "class_language_model", "distortion")
)


def options_of(toy: Toy, limit: int = 20) -> Options:
    ids = np.array(SENTENCE, np.int32)
    return find_options(
        toy.table, models_of(toy)[0], no_estimates(toy.table), WEIGHTS, ids, ids, limit
    )


def after_nothing(model: NgramModel, words: Sequence[int]) -> float:
    total, state = 0.0, ROOT
    for word in words:
        log_probability, state = model.next_word(state, word)
        total += log_probability
    return total


def features_alone(toy: Toy, pair: int | None, word: int) -> list[float]:
    """What is known of an option before its neighbours are, by definition."""
    targets = (word,) if pair is None else toy.targets[pair]
    assert toy.classes is not None
    classes = [int(toy.classes.class_of[target]) for target in targets]
    language_models = [after_nothing(toy.model, targets), after_nothing(toy.classes.model, classes)]
    if pair is None:
        return [*language_models, 1, 1, 1, *[0.0] * 12]
    *probabilities, rare = toy.table.scores[pair].tolist()
    reordering = toy.table.reordering[pair].tolist()
    return [*language_models, len(targets), 1, 0, rare, *probabilities, 0, *reordering]


def looks_of(options: Options, orientation: int | None = None) -> NDArray[np.float64]:
    """What options may bring, with an orientation to the phrase before or the best of the three."""
    before = options.reordering[:, :3]
    from_previous = before.max(axis=1) if orientation is None else before[:, orientation]
    both = [LANGUAGE_MODEL, CLASS_MODEL]
    language_models = options.features[:, both] @ WEIGHTS[both]
    return options.score + language_models + from_previous + options.reordering[:, 3:].max(axis=1)


def test_each_span_has_all_its_options_and_unknown_words_are_copied() -> None:
    toy = make_toy(1)
    options = options_of(toy)
    found = set(
        zip(options.begin.tolist(), options.end.tolist(), options.pair.tolist(), strict=True)
    )
    expected = {(1, 2, COPIED)}
    for begin in range(len(SENTENCE)):
        for end in range(begin + 1, len(SENTENCE) + 1):
            for pair in toy.phrases.get(tuple(SENTENCE[begin:end]), []):
                expected.add((begin, end, pair))
    assert found == expected
    assert len(found) == len(options.pair)


def test_features_are_those_of_the_table_with_an_estimate_of_the_language_model() -> None:
    toy = make_toy(2)
    options = options_of(toy)
    for option, pair in enumerate(options.pair.tolist()):
        word = SENTENCE[options.begin[option]]
        expected = features_alone(toy, None if pair == COPIED else pair, word)
        np.testing.assert_allclose(options.features[option], expected, rtol=1e-6)
        first, last = options.target_starts[option], options.target_starts[option + 1]
        targets = (word,) if pair == COPIED else toy.targets[pair]
        assert tuple(options.target_ids[first:last].tolist()) == targets


def test_spans_and_their_order_lead_to_the_options() -> None:
    options = options_of(make_toy(3))
    for begin, row in enumerate(options.span_at.tolist()):
        for width, span in enumerate(row, start=1):
            if span < 0:
                continue
            here = slice(options.starts[span], options.starts[span + 1])
            assert set(options.begin[here].tolist()) == {begin}
            assert set(options.end[here].tolist()) == {begin + width}
            assert int(options.low[span]) == sum(1 << word for word in range(begin, begin + width))
            for orientation in range(3):
                order = options.order[orientation, here]
                assert sorted(order.tolist()) == list(range(here.start, here.stop))
                keys = looks_of(options, orientation)
                assert (np.diff(keys[order]) <= 1e-12).all()
                np.testing.assert_allclose(options.looks[orientation, here], keys[order])
    assert options.span_at.shape == (len(SENTENCE), LONGEST_PHRASE)


def test_a_limit_keeps_the_options_that_look_best() -> None:
    toy = make_toy(4)
    every, few = options_of(toy), options_of(toy, limit=1)
    firsts = every.starts[:-1]
    np.testing.assert_array_equal(few.pair, every.pair[firsts])
    looks = looks_of(every)
    for first, last in zip(firsts, every.starts[1:], strict=True):
        assert looks[first] == max(looks[first:last])
        begin, end = every.begin[first], every.end[first]
        assert every.future[begin, end] >= looks[first] - 1e-12


def test_the_future_is_the_best_sum_over_a_part_of_the_sentence() -> None:
    options = options_of(make_toy(5))
    looks = looks_of(options)

    def best(begin: int, end: int) -> float:
        if begin == end:
            return 0.0
        return max(
            looks[option] + best(int(options.end[option]), end)
            for option in np.flatnonzero((options.begin == begin) & (options.end <= end))
        )

    for begin in range(len(SENTENCE)):
        for end in range(begin, len(SENTENCE) + 1):
            assert options.future[begin, end] == pytest.approx(best(begin, end))


def test_options_are_of_a_class_where_they_score_the_next_phrase_alike() -> None:
    options = options_of(make_toy(6))
    shared = 0
    for one, first in enumerate(options.reordering_class.tolist()):
        for other, second in enumerate(options.reordering_class.tolist()):
            alike = (
                options.begin[one] == options.begin[other]
                and options.end[one] == options.end[other]
                and (options.reordering[one, 3:] == options.reordering[other, 3:]).all()
            )
            assert (first == second) == alike
            shared += alike and one != other
    assert shared > 3


def test_what_is_remembered_of_the_language_model_changes_no_option() -> None:
    toy, ids = make_toy(8), np.array(SENTENCE, np.int32)
    estimates = no_estimates(toy.table)
    arguments = (toy.table, models_of(toy)[0], estimates, WEIGHTS, ids, ids, 20)
    first, again = find_options(*arguments), find_options(*arguments)
    used = set(first.pair.tolist()) - {COPIED}
    assert set(np.flatnonzero(~np.isnan(estimates).any(1)).tolist()) == used
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_of_a_sentence_beyond_64_have_bits_of_their_own() -> None:
    toy = make_toy(7)
    ids = np.full(128, FIRST_WORD, np.int32)
    weights = np.ones(len(FEATURES))
    estimates = no_estimates(toy.table)
    options = find_options(toy.table, models_of(toy)[0], estimates, weights, ids, ids, 1)
    bits = {}
    for span, first in enumerate(options.starts[:-1]):
        both = (int(options.high[span]) << 64) | int(options.low[span])
        bits[int(options.begin[first]), int(options.end[first])] = both
    for (begin, end), both in bits.items():
        assert both == sum(1 << word for word in range(begin, end))
    assert (127, 128) in bits
