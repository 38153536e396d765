"""Estimated probabilities are those of modified Kneser-Ney, and sum to one everywhere."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.ngram_estimation import discounts_of, estimate_ngram_model
from seqcli.smt.ngram_model import NgramModel
from seqcli.tokenizers import BOS, EOS, PAD, UNK
from tests.smt.ngrams import PlainKneserNey, sentences_of

VOCABULARY_SIZE = 9  # some words are never seen
A, B, C = 4, 5, 6
words = st.integers(UNK, VOCABULARY_SIZE - 1)
texts = st.lists(st.lists(words, max_size=8), max_size=25)


def state_after(model: NgramModel, history: list[int]) -> int:
    state = model.begin_state
    for word in history:
        _, state = model.next_word(state, word)
    return state


def test_a_bigram_model_is_the_one_computed_by_hand() -> None:
    """Of the bigrams 2 occur once, 2 twice and 1 three times: discounts 1/3, 3/2 and 3.

    a, b and c follow one word each and </s> two, too few for discounts of their own, so that they
    are 1/2 and 1; of all 5 there is 1/2 left for the 5 words that there are.
    """
    model = estimate_ngram_model(sentences_of([[A, B], [A, B], [A, C]]), 7, order=2)
    begin, after_a = model.begin_state, state_after(model, [A])
    after_b, after_c = state_after(model, [A, B]), state_after(model, [A, C])
    wanted = {
        (begin, A): 0 + 1 * 0.2,
        (after_a, B): (2 - 1.5) / 3 + (1.5 + 1 / 3) / 3 * 0.2,
        (after_a, C): (1 - 1 / 3) / 3 + (1.5 + 1 / 3) / 3 * 0.2,
        (after_a, UNK): (1.5 + 1 / 3) / 3 * 0.1,
        (after_b, EOS): (2 - 1.5) / 2 + 1.5 / 2 * 0.3,
        (after_c, EOS): (1 - 1 / 3) / 1 + 1 / 3 * 0.3,
    }
    found = {key: math.exp(model.next_word(*key)[0]) for key in wanted}
    assert found == pytest.approx(wanted, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    rows=texts,
    order=st.integers(1, 6),
    pruning=st.lists(st.integers(0, 2), max_size=3).map(sorted),
    histories=st.lists(st.lists(words, max_size=6), max_size=4),
)
def test_it_equals_the_definition_and_sums_to_one(
    rows: list[list[int]], order: int, pruning: list[int], histories: list[list[int]]
) -> None:
    plain = PlainKneserNey(rows, VOCABULARY_SIZE, order, pruning)
    model = estimate_ngram_model(sentences_of(rows), VOCABULARY_SIZE, order=order, pruning=pruning)
    for history in [*histories, *(row[:5] for row in rows[:4])]:
        found = np.exp(model.distribution(state_after(model, history)))
        wanted = [
            0 if word in (PAD, BOS) else plain.probability((BOS, *history), word)
            for word in range(VOCABULARY_SIZE)
        ]
        np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=1e-9)
        assert found.sum() == pytest.approx(1, abs=1e-5)


def test_discounts_have_the_closed_form_and_none_where_counts_are_missing() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [50, 20, 10, 6, 3])
    y = 50 / (50 + 2 * 20)
    wanted = [1 - 2 * y * 20 / 50, 2 - 3 * y * 10 / 20, 3 - 4 * y * 6 / 10]
    assert discounts_of(counts) == pytest.approx(wanted)
    assert discounts_of(counts[counts != 3]) is None
    assert discounts_of(np.repeat([1, 2, 3], [10, 1, 50])) is None  # that of 2 would be below 0


def test_pruning_drops_rare_ngrams_of_the_orders_it_names() -> None:
    rows = [[A, B, C], [A, B, C], [C, A]]
    full = estimate_ngram_model(sentences_of(rows), VOCABULARY_SIZE, order=3)
    pruned = estimate_ngram_model(sentences_of(rows), VOCABULARY_SIZE, order=3, pruning=[0, 1])
    assert full.sizes == (VOCABULARY_SIZE, 7, 5)
    assert pruned.sizes == (VOCABULARY_SIZE, 7, 3)


def test_a_model_of_no_text_takes_all_words_for_equal() -> None:
    model = estimate_ngram_model(sentences_of([]), VOCABULARY_SIZE, order=3)
    found = np.exp(model.distribution(model.begin_state))
    assert found == pytest.approx([0, 0, *[1 / 7] * 7], abs=1e-6)
