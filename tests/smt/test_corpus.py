"""Sentences as ids: the order of a vocabulary, and what is unknown."""

from hypothesis import given
from hypothesis import strategies as st

from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK

WORDS = st.sampled_from(["a", "b", "c", "é", "<unk>", "</s>", "<pad>"])
TEXTS = st.lists(st.lists(WORDS, max_size=5), max_size=5)


def test_frequent_words_come_first_and_equally_frequent_ones_in_the_order_of_their_text() -> None:
    vocabulary = learn_vocabulary([["b", "c"], ["c", "a"]])
    assert vocabulary.pieces == (*SPECIAL_PIECES, "c", "a", "b")


@given(TEXTS)
def test_ids_turn_back_into_the_words_of_each_line(lines: list[list[str]]) -> None:
    vocabulary = learn_vocabulary(lines)
    sentences = encode_sentences(lines, vocabulary)
    assert sentences.num_sentences == len(lines)
    assert sentences.lengths().tolist() == [len(words) for words in lines]
    for number, words in enumerate(lines):
        here = sentences.ids[sentences.starts[number] : sentences.starts[number + 1]]
        expected = ["<unk>" if word in SPECIAL_PIECES else word for word in words]
        assert vocabulary.pieces_of(here) == expected


def test_a_word_that_looks_like_a_special_piece_is_unknown() -> None:
    lines = [["</s>", "<pad>", "<s>", "<unk>", "new"]]
    sentences = encode_sentences(lines, learn_vocabulary([["</s>", "old"]]))
    assert sentences.ids.tolist() == [UNK] * 5
