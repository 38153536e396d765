"""Both models asked at once against each asked alone; what is saved against what is loaded."""

from pathlib import Path

import numpy as np
import pytest

from seqcli.errors import ModelError
from seqcli.smt.corpus import Sentences
from seqcli.smt.language_models import (
    CLASSES,
    ClassModel,
    estimate_class_model,
    joined,
    load_class_model,
    next_words,
    save_class_model,
)
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_model import NgramModel
from seqcli.tokenizers.vocabulary import EOS, UNK

NUM_WORDS = UNK + 9


def text() -> Sentences:
    random = np.random.default_rng(3)
    lengths = random.integers(1, 7, 60)
    ids = random.integers(UNK + 1, NUM_WORDS, lengths.sum()).astype(np.int32)
    return Sentences(ids, np.cumsum([0, *lengths]))


def class_model() -> ClassModel:
    return estimate_class_model(text(), NUM_WORDS, num_classes=3, order=4)


def words_model() -> NgramModel:
    return estimate_ngram_model(text(), NUM_WORDS, order=3)


def scores_of(model: NgramModel, ids: list[int]) -> list[float]:
    return model.score(np.array(ids, np.int32), np.array([0, len(ids)])).tolist()


@pytest.mark.parametrize("has_classes", [True, False])
def test_a_joined_state_tells_what_each_model_tells_alone(has_classes: bool) -> None:
    words, classes = words_model(), class_model() if has_classes else None
    models, state = joined(words, classes)
    line, found = text().ids[:6].tolist(), []
    for word in [*line, EOS]:
        of_word, of_class, state = next_words(models, np.int64(state), np.int32(word))
        found.append((of_word, of_class))
    certain = [0.0] * 7
    of_classes = scores_of(classes.model, classes.class_of[line].tolist()) if classes else certain
    expected = list(zip(scores_of(words, line), of_classes, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_state_holds_places_of_any_size() -> None:
    """A model of 70,000 words has states beyond 16 bits."""
    num_words = 70_000
    last = num_words - 1
    pair, triple = (last, last), (last, last, UNK + 1)
    ngrams = {(last,): (-1.0, -0.5), pair: (-0.25, -0.75), triple: (-0.125, 0.0)}
    words = NgramModel.from_ngrams(ngrams, num_words)
    models, state = joined(words, None)
    alone = words.begin_state
    for word in (last, last, UNK + 1):
        of_word, _, state = next_words(models, np.int64(state), np.int32(word))
        expected, alone = words.next_word(alone, word)
        assert of_word == expected
    assert of_word == -0.125
    assert max(words.next_word(words.next_word(0, last)[1], last)) > 2**16


def test_a_model_of_classes_is_one_of_their_sequences() -> None:
    model, sentences = class_model(), text()
    of_classes = Sentences(model.class_of[sentences.ids], sentences.starts)
    expected = estimate_ngram_model(of_classes, UNK + 4, order=4)
    np.testing.assert_array_equal(model.model.score(*of_classes), expected.score(*of_classes))


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    model = class_model()
    save_class_model(model, tmp_path)
    loaded = load_class_model(tmp_path, NUM_WORDS)
    np.testing.assert_array_equal(loaded.class_of, model.class_of)
    assert scores_of(loaded.model, [UNK + 1]) == scores_of(model.model, [UNK + 1])


def test_classes_of_other_words_are_refused(tmp_path: Path) -> None:
    save_class_model(class_model(), tmp_path)
    with pytest.raises(ModelError, match="of another vocabulary"):
        load_class_model(tmp_path, NUM_WORDS + 1)


def test_damage_is_found(tmp_path: Path) -> None:
    save_class_model(class_model(), tmp_path)
    path = tmp_path / CLASSES / "class_of.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match="damaged"):
        load_class_model(tmp_path, NUM_WORDS)
