"""Pieces, ids, bytes and the fingerprint."""

import hashlib

import pytest

from seqcli.tokenizers.vocabulary import (
    BYTE_PIECES,
    SPECIAL_PIECES,
    UNK,
    Vocabulary,
    piece_bytes,
)


def test_ids_and_pieces_are_each_others_inverse() -> None:
    vocabulary = Vocabulary([*SPECIAL_PIECES, "a", "\u2581b"])
    assert [vocabulary.id(piece) for piece in vocabulary.pieces] == list(range(len(vocabulary)))
    assert vocabulary.pieces_of(range(6)) == list(vocabulary.pieces)
    assert vocabulary.id("c") == UNK
    assert "a" in vocabulary
    assert "c" not in vocabulary


@pytest.mark.parametrize(
    "pieces", [[], ["a"], ["<unk>", "<s>", "</s>", "<pad>"], [*SPECIAL_PIECES, "a", "a"]]
)
def test_pieces_that_cannot_be_a_vocabulary_are_refused(pieces: list[str]) -> None:
    with pytest.raises(ValueError, match="piece"):
        Vocabulary(pieces)


def test_the_fingerprint_is_a_sha256_that_tells_order_and_borders_of_pieces() -> None:
    expected = hashlib.sha256(b"<pad>\n<s>\n</s>\n<unk>\na\nbc").hexdigest()
    assert Vocabulary([*SPECIAL_PIECES, "a", "bc"]).fingerprint() == expected
    others = (["bc", "a"], ["ab", "c"], ["a", "bc", "d"])
    prints = {Vocabulary([*SPECIAL_PIECES, *pieces]).fingerprint() for pieces in others}
    assert len(prints | {expected}) == 4


def test_text_is_spelled_in_the_bytes_of_its_utf_8() -> None:
    vocabulary = Vocabulary([*SPECIAL_PIECES, *BYTE_PIECES])
    pieces = vocabulary.pieces_of(vocabulary.spell("漢é "))
    assert b"".join(map(piece_bytes, pieces)) == "漢é ".encode()


def test_without_bytes_text_is_spelled_as_one_unk() -> None:
    assert Vocabulary(SPECIAL_PIECES).spell("漢é") == [UNK]


def test_the_marks_of_a_sentence_add_nothing_and_space_signs_are_spaces() -> None:
    assert [piece_bytes(piece) for piece in ("<pad>", "<s>", "</s>")] == [b""] * 3
    assert piece_bytes("\u2581a") == b" a"
    assert piece_bytes("<0xE9>") == b"\xe9"
    assert piece_bytes("<0xe9>") == b"<0xe9>"
