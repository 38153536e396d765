"""What the decoder asks of the target language: n-gram models of words and of their classes.

A model of classes (Brown et al., 1992) knows which kinds of words follow each other, and from the
same text it can look further back than one of words, most of which are rare.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqcli.errors import OutputError
from seqcli.smt.arrays import Ids, broken, load_arrays, save_arrays
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import open_leaf
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_model import (
    ROOT,
    NgramArrays,
    NgramModel,
    load_ngram_model,
    next_word,
    save_ngram_model,
)
from seqcli.smt.word_classes import FIRST_CLASS, learn_classes
from seqcli.tokenizers.vocabulary import EOS, UNK

CLASSES, CLASS_NGRAMS = "classes", "class-ngrams"  # folders of arrays
BITS = 32  # of a state of the model of words, which is a place in an array
UNKNOWN_CONTEXT = np.int64(ROOT)  # of both models


class LanguageModels(NamedTuple):
    """Two n-gram models, the second of classes. A state of both is one number."""

    words: NgramArrays
    classes: NgramArrays
    class_of: Ids  # V: of each word


class ClassModel(NamedTuple):
    """An n-gram model of the classes of words."""

    class_of: Ids  # V: of each word
    model: NgramModel


class _Classes(NamedTuple):
    class_of: Ids


@open_leaf
def next_words(
    models: LanguageModels, state: np.int64, word: np.int32
) -> tuple[np.float64, np.float64, np.int64]:
    """The log-probabilities of a word and of its class after a state, and the state after it."""
    of_words, of_classes = state & ((1 << BITS) - 1), state >> BITS
    log_probability, of_words = next_word(models.words, of_words, word)
    class_log_probability, of_classes = next_word(models.classes, of_classes, models.class_of[word])
    return log_probability, class_log_probability, (of_classes << BITS) | of_words


def joined(words: NgramModel, classes: ClassModel | None) -> tuple[LanguageModels, int]:
    """Both models for kernels, and the state at the begin of a sentence.

    Without classes the second finds everything certain.
    """
    if classes is None:
        certain = NgramModel.from_ngrams({(UNK,): (0.0, 0.0), (EOS,): (0.0, 0.0)}, UNK + 1)
        classes = ClassModel(np.full(words.vocabulary_size, UNK, np.int32), certain)
        classes.class_of[EOS] = EOS
    models = LanguageModels(words.arrays, classes.model.arrays, classes.class_of)
    return models, classes.model.begin_state << BITS | words.begin_state


def estimate_class_model(
    sentences: Sentences, num_words: int, *, num_classes: int, order: int
) -> ClassModel:
    """Learn classes of words, and a model of their sequences."""
    class_of = learn_classes(sentences, num_words, num_classes)
    of_classes = sentences._replace(ids=class_of[sentences.ids])
    model = estimate_ngram_model(of_classes, FIRST_CLASS + num_classes, order=order)
    return ClassModel(class_of, model)


def save_class_model(model: ClassModel, folder: Path) -> None:
    """Write a model into folders inside `folder`. Raises OutputError."""
    for name in (CLASSES, CLASS_NGRAMS):
        (folder / name).mkdir(exist_ok=True)
    save_arrays(_Classes(model.class_of), folder / CLASSES)
    save_ngram_model(model.model, folder / CLASS_NGRAMS)


def remove_class_model(folder: Path) -> None:
    """Remove what a training with other settings has left there. Raises OutputError."""
    for path in (folder / CLASSES, folder / CLASS_NGRAMS):
        try:
            if path.exists():
                shutil.rmtree(path)
        except OSError as error:
            raise OutputError(f"cannot remove {path}: {error.strerror}") from error


def load_class_model(folder: Path, num_words: int) -> ClassModel:
    """Open what `save_class_model` wrote. Raises ModelError if it is broken or of other words."""
    (class_of,) = load_arrays(_Classes, folder / CLASSES)
    model = load_ngram_model(folder / CLASS_NGRAMS)
    if class_of.shape != (num_words,) or class_of.dtype != np.int32:
        raise broken(folder, "its classes are of another vocabulary")
    if class_of.min(initial=0) < 0 or class_of.max(initial=0) >= model.vocabulary_size:
        raise broken(folder, "its classes are not those of their n-grams")
    return ClassModel(class_of, model)
