from pathlib import Path

import numpy as np
import pytest

from seqcli.smt.lexicon import NULL, Lexicon, load_lexicon, save_lexicon
from seqcli.smt.word_lookup import WordLookup
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK, Vocabulary

SOURCES = Vocabulary([*SPECIAL_PIECES, "Hund", "rot", "so"])
TARGETS = Vocabulary([*SPECIAL_PIECES, "cur", "dog", "red"])
HUND, ROT, SO = range(UNK + 1, UNK + 4)
CUR, DOG, RED = range(UNK + 1, UNK + 4)
LEXICON = Lexicon(
    np.array([NULL, HUND, HUND, HUND, ROT, SO], np.int32),
    np.array([RED, NULL, CUR, DOG, RED, NULL], np.int32),
    np.array([1.0, 0.5, 0.1, 0.4, 1.0, 1.0]),
    np.array([0.5, 1.0, 1.0, 1.0, 0.5, 1.0]),
)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Hund", "dog"),  # not the more probable nothing
        ("hund", "dog"),
        ("HUND", "dog"),
        ("ROT", "red"),
        ("so", "so"),  # it has no translation
        ("Katze", "Katze"),
        ("</s>", "</s>"),
        ("", ""),
    ],
)
def test_a_word_becomes_its_most_probable_translation_or_stays(
    word: str, expected: str, tmp_path: Path
) -> None:
    save_lexicon(tmp_path / "lexicon", LEXICON, SOURCES, TARGETS)
    lexicon = load_lexicon(tmp_path / "lexicon", SOURCES, TARGETS)
    assert WordLookup(lexicon, SOURCES, TARGETS)(word) == expected
