"""The trie answers as a dictionary of n-grams does, and a broken one is refused."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import ModelError
from seqcli.smt.arrays import save_arrays
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_model import (
    LOWEST,
    NgramArrays,
    NgramModel,
    load_ngram_model,
    save_ngram_model,
)
from seqcli.tokenizers import BOS, EOS, UNK
from tests.smt.ngrams import sentences_of

VOCABULARY_SIZE = 7
Weights = dict[tuple[int, ...], tuple[float, float]]


def plain_log_probability(ngrams: Weights, history: tuple[int, ...], word: int) -> float:
    """Katz backoff as its definition reads."""
    if (*history, word) in ngrams:
        return ngrams[(*history, word)][0]
    if not history:
        return ngrams[UNK,][0]
    backoff = ngrams.get(history, (0, 0))[1]
    return backoff + plain_log_probability(ngrams, history[1:], word)


@st.composite
def backoff_models(draw: Any) -> Weights:
    """N-grams whose contexts are there; their ends may be missing, as after pruning."""
    logs = st.floats(-9, 0, width=32)
    ngrams: Weights = {(word,): (draw(logs), draw(logs)) for word in (BOS, EOS, UNK, 4, 5)}
    for order in (2, 3, 4):
        contexts = [ngram for ngram in ngrams if len(ngram) == order - 1 and ngram[-1] != EOS]
        for context, word in itertools.product(contexts[:6], (EOS, UNK, 4, 5)):
            if draw(st.integers(0, 3)) == 0:
                backoff = draw(logs) if draw(st.booleans()) else 0.0
                ngrams[(*context, word)] = (draw(logs), backoff)
    return ngrams


@settings(deadline=None, max_examples=80)
@given(ngrams=backoff_models(), words=st.lists(st.integers(3, 6), max_size=7))
def test_it_backs_off_as_a_dictionary_does(ngrams: Weights, words: list[int]) -> None:
    model = NgramModel.from_ngrams(ngrams, VOCABULARY_SIZE)
    longest = max(map(len, ngrams))
    # the highest order has no backoff of its own
    ngrams = {
        ngram: (log, 0 if len(ngram) == longest else weight)
        for ngram, (log, weight) in ngrams.items()
    }
    state = model.begin_state
    wanted = []
    for place, word in enumerate([*words, EOS]):
        history = (BOS, *words[:place])[-(longest - 1) :] if longest > 1 else ()
        wanted.append(plain_log_probability(ngrams, history, word))
        found, following = model.next_word(state, word)
        assert found == pytest.approx(wanted[-1], abs=1e-5)
        assert model.distribution(state)[word] == pytest.approx(wanted[-1], abs=1e-5)
        state = following
    scores = model.score(*sentences_of([words, [], words]))
    assert scores[: len(words) + 1] == pytest.approx(wanted, abs=1e-5)
    np.testing.assert_array_equal(scores[: len(words) + 1], scores[len(words) + 2 :])


def test_histories_that_no_longer_matter_have_one_state() -> None:
    ngrams: Weights = {
        (EOS,): (-1, 0),
        (UNK,): (-2, 0),
        (4,): (-1, -0.5),
        (5,): (-1, 0),
        (BOS, 4): (-0.2, 0),
        (4, 5): (-0.3, 0),
        (4, 6): (-0.3, -0.1),
    }
    model = NgramModel.from_ngrams(ngrams, VOCABULARY_SIZE)
    of = {
        history: model.next_word(model.next_word(model.begin_state, history[0])[1], history[1])[1]
        for history in itertools.product((4, 5, 6), repeat=2)
    }
    assert of[5, 4] == of[4, 4] == of[6, 4]  # what was before 4 is forgotten
    assert of[4, 5] == of[5, 5] == of[5, 6] == 0  # nothing begins with 5, or with 6 alone
    assert model.begin_state != 0
    assert model.order == 2


def test_a_word_without_an_ngram_counts_as_unknown() -> None:
    model = NgramModel.from_ngrams({(UNK,): (-3.5, 0), (4,): (-1, 0)}, VOCABULARY_SIZE)
    assert model.next_word(0, 6)[0] == pytest.approx(-3.5)
    assert model.next_word(0, BOS)[0] == pytest.approx(LOWEST)
    assert model.sizes == (VOCABULARY_SIZE,)


def test_a_context_that_is_missing_is_refused() -> None:
    with pytest.raises(KeyError):
        NgramModel.from_ngrams({(4, 5, 6): (-1, 0)}, VOCABULARY_SIZE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_ngram_model(learned(), tmp_path)
    return tmp_path


def learned() -> NgramModel:
    rows = [[4, 5, 6], [4, 5], [6, 4, 5, 4]]
    return estimate_ngram_model(sentences_of(rows), VOCABULARY_SIZE, order=3)


def test_what_was_saved_is_loaded(folder: Path) -> None:
    loaded = load_ngram_model(folder)
    for name, array in learned().arrays._asdict().items():
        np.testing.assert_array_equal(getattr(loaded.arrays, name), array)
    assert loaded.sizes == learned().sizes
    assert loaded.next_word(loaded.begin_state, 4) == learned().next_word(loaded.begin_state, 4)


@pytest.mark.parametrize("name", NgramArrays._fields)
def test_a_file_that_is_missing_cut_or_of_another_type_is_refused(folder: Path, name: str) -> None:
    path, arrays = folder / f"{name}.npy", learned().arrays
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelError, match=name):
        load_ngram_model(folder)
    path.unlink()
    with pytest.raises(ModelError, match=name):
        load_ngram_model(folder)
    array = getattr(arrays, name)
    save_arrays(arrays._replace(**{name: array.astype(np.float64)}), folder)
    with pytest.raises(ModelError, match=name):
        load_ngram_model(folder)
    save_arrays(arrays._replace(**{name: array[:-1]}), folder)
    with pytest.raises(ModelError, match="broken"):
        load_ngram_model(folder)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("words", -1, VOCABULARY_SIZE),
        ("words", 3, 0),
        ("log_probabilities", 5, math.nan),
        ("backoffs", 2, math.inf),
        ("state_after", -1, 10_000),
        ("state_after", -1, -1),
        ("child_starts", 3, 10_000),
        ("child_starts", 0, 0),
        ("child_starts", -1, 9),
        ("suffixes", -1, 10_000),
        ("suffixes", -1, -1),
        ("suffixes", 4, 4),
        ("suffixes", 0, 1),
    ],
)
def test_numbers_that_would_lead_astray_are_refused(
    folder: Path, name: str, place: int, value: float
) -> None:
    arrays = learned().arrays
    getattr(arrays, name)[place] = value
    save_arrays(arrays, folder)
    with pytest.raises(ModelError, match="broken"):
        load_ngram_model(folder)
