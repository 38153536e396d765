"""Characters and words: how they split, and which pieces are kept."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPECIAL_PIECES

BUILT_IN = len(SPECIAL_PIECES) + len(BYTE_PIECES)


def learned(lines: list[str], **settings: object) -> list[str]:
    """The pieces after the built-in ones, in order."""
    config = TokenizerConfig(**settings)
    return list(train_tokenizer(lines, config).vocabulary.pieces[BUILT_IN:])


def pieces_of(line: str) -> list[str]:
    return train_tokenizer([line], TokenizerConfig(kind="words")).to_pieces(line)


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ("Der Mann läuft.", "▁Der ▁Mann ▁läuft ."),
        ("24.12.2020", "▁24 . 12 . 2020"),
        ("B52 x2", "▁B 52 ▁x 2"),
        ('"Ja!", rief er', '▁" Ja ! " , ▁rief ▁er'),
        ("snake_case", "▁snake _ case"),
        ("don't ...", "▁don ' t ▁. . ."),
        ("zwei  Wörter ", "▁zwei ▁ ▁Wörter ▁"),
        ("e\u0301te\u0301 नमस्ते", "▁e\u0301te\u0301 ▁नमस्ते"),
        ("می‌خواهم", "▁می‌خواهم"),
    ],
)
def test_words_numbers_and_marks_are_pieces_with_the_space_before(line: str, pieces: str) -> None:
    assert pieces_of(line) == pieces.split(" ")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2581\u2585")))
def test_no_word_mixes_letters_digits_and_other_characters(line: str) -> None:
    def sort_of(character: str) -> str:
        category = unicodedata.category(character)
        if character in "\u200c\u200d" or category[0] == "M":
            return "mark"
        return "digit" if category == "Nd" else "letter" if character.isalnum() else "other"

    if not line:
        return
    for piece in pieces_of(line):
        sorts = [sort_of(character) for character in re.sub("^\u2581(?=.)", "", piece)]
        assert len(sorts) == 1 or {*sorts} <= {"letter", "mark"} or {*sorts} == {"digit"}


def test_characters_are_ordered_by_frequency_then_by_code_point() -> None:
    lines = ["hallo welt", "zebra zoo", "äöü äöü"]
    counts = Counter("".join(lines).replace(" ", "\u2581"))
    expected = sorted(counts, key=lambda character: (-counts[character], ord(character)))
    assert learned(lines, kind="characters") == expected


def test_words_are_ordered_by_frequency_then_by_code_point() -> None:
    lines = ["b a b", "c ä a b"]
    assert learned(lines, kind="words") == ["\u2581b", "\u2581a", "\u2581c", "\u2581ä"]


def test_rare_pieces_are_left_out_and_spelled() -> None:
    lines = ["b a b", "c a b"]
    config = TokenizerConfig(kind="words", min_frequency=2)
    tokenizer = train_tokenizer(lines, config)
    assert list(tokenizer.vocabulary.pieces[BUILT_IN:]) == ["\u2581b", "\u2581a"]
    assert tokenizer.to_pieces("b c") == ["\u2581b", "<0x20>", "<0x63>"]


def test_coverage_keeps_the_fewest_characters_that_make_up_the_share() -> None:
    lines = ["aaaaaaaabbc"]  # 8, 2 and 1 of 11
    for coverage, kept in ((0.7, "a"), (0.8, "ab"), (0.91, "abc"), (1.0, "abc")):
        found = learned(lines, kind="characters", character_coverage=coverage)
        assert "".join(found) == kept


def test_a_vocabulary_size_keeps_the_most_frequent() -> None:
    lines = ["b a b", "c a b"]
    assert learned(lines, kind="words", vocabulary_size=BUILT_IN + 1) == ["\u2581b"]


def test_the_file_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["ä b"], TokenizerConfig(kind="characters", user_symbols=("<x>",)))
    saved = json.loads(tokenizer.save(tmp_path, "letters").read_text(encoding="utf-8"))
    assert saved["kind"] == "characters"
    assert saved["user_symbols"] == ["<x>"]
    assert saved["pieces"] == list(tokenizer.vocabulary.pieces)
