"""The parts of a phrase-based system in the files of its folder."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import broken
from seqcli.smt.features import CLASS_MODEL, FEATURES
from seqcli.smt.language_models import CLASS_NGRAMS, CLASSES, load_class_model
from seqcli.smt.lexicon import LEXICON, load_lexicon
from seqcli.smt.ngram_model import load_ngram_model
from seqcli.smt.phrase_table import load_phrase_table
from seqcli.smt.phrase_translator import PhraseModel
from seqcli.smt.word_lookup import WordLookup
from seqcli.smt.words import SIDES, AnyWords, Side, load_words
from seqcli.text.lines import write_atomically
from seqcli.tokenizers import Vocabulary

PHRASES, NGRAMS = "phrases", "ngrams"  # folders of arrays
WEIGHTS = "weights.json"
FILES = (  # all that a folder may have, but tokenizers that were learned
    *(f"words-{side}.json" for side in SIDES),
    *(f"vocabulary-{side}.txt" for side in SIDES),
    PHRASES,
    NGRAMS,
    CLASSES,
    CLASS_NGRAMS,
    WEIGHTS,
)


class PhraseSystem(NamedTuple):
    """All that a phrase-based system is made of."""

    model: PhraseModel
    source_words: AnyWords
    target_words: AnyWords
    copy_word: Callable[[str], str] = str  # what becomes of a word that no phrase translates

    def fingerprint(self) -> str:
        """One hash over both vocabularies."""
        prints = (self.model.source_vocabulary, self.model.target_vocabulary)
        text = " ".join(vocabulary.fingerprint() for vocabulary in prints)
        return hashlib.sha256(text.encode()).hexdigest()


def load_phrase_system(folder: Path) -> PhraseSystem:
    """Read a whole system. ModelError if a part is missing, broken or of another system."""
    sources, targets = load_vocabulary(folder, "source"), load_vocabulary(folder, "target")
    table = load_phrase_table(folder / PHRASES)
    ngrams = load_ngram_model(folder / NGRAMS)
    for ids, vocabulary in ((table.source_ids, sources), (table.target_ids, targets)):
        if ids.max(initial=0) >= len(vocabulary):
            raise broken(folder, "its phrases are of another vocabulary")
    if ngrams.vocabulary_size != len(targets):
        raise broken(folder, "its n-grams are of another vocabulary")
    weights, classes = load_weights(folder), None
    if weights[CLASS_MODEL] or (folder / CLASSES).exists():
        classes = load_class_model(folder, len(targets))
    return PhraseSystem(
        PhraseModel(sources, targets, table, ngrams, weights, classes),
        load_words(folder, "source"),
        load_words(folder, "target"),
    )


def with_lookup(system: PhraseSystem, folder: Path) -> PhraseSystem:
    """The system with words that no phrase translates looked up in the lexicon in its folder."""
    vocabularies = system.model.source_vocabulary, system.model.target_vocabulary
    lexicon = load_lexicon(folder / LEXICON, *vocabularies)
    return system._replace(copy_word=WordLookup(lexicon, *vocabularies))


def save_vocabulary(folder: Path, side: Side, vocabulary: Vocabulary) -> None:
    """Write a word a line, in the order of their ids. Raises OutputError."""
    with write_atomically(_vocabulary_path(folder, side)) as stream:
        stream.writelines(f"{word}\n" for word in vocabulary.pieces)


def load_vocabulary(folder: Path, side: Side) -> Vocabulary:
    """Read what `save_vocabulary` wrote. Raises ModelError."""
    path = _vocabulary_path(folder, side)
    try:
        return Vocabulary(path.read_bytes().decode().removesuffix("\n").split("\n"))
    except (OSError, ValueError) as error:
        raise broken(folder, f"{path.name} cannot be read: {error}") from error


def save_weights(folder: Path, weights: NDArray[np.float64]) -> None:
    """Write the weight of each feature by its name. Raises OutputError."""
    text = msgspec.json.encode(dict(zip(FEATURES, weights.tolist(), strict=True)))
    with write_atomically(folder / WEIGHTS) as stream:
        stream.write(msgspec.json.format(text, indent=2).decode() + "\n")


def load_weights(folder: Path) -> NDArray[np.float64]:
    """Read what `save_weights` wrote; older files have no model of classes. Raises ModelError."""
    try:
        weights = msgspec.json.decode((folder / WEIGHTS).read_bytes(), type=dict[str, float])
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise broken(folder, f"{WEIGHTS} cannot be read: {error}") from error
    if not (folder / CLASSES).exists():
        weights.setdefault(FEATURES[CLASS_MODEL], 0.0)
    if set(weights) != set(FEATURES):
        raise broken(folder, f"{WEIGHTS} has other features than {', '.join(FEATURES)}")
    return np.array([weights[name] for name in FEATURES])


def _vocabulary_path(folder: Path, side: Side) -> Path:
    return folder / f"vocabulary-{side}.txt"
