"""Labels are pieces as a whole, and nothing else is known."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.tokenizers import TOKENIZERS, load_tokenizer
from seqcli.tokenizers.base import KINDS
from seqcli.tokenizers.labels import LabelTokenizer
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK

any_label = st.text("aB-_ 1é中", min_size=1, max_size=5)


@given(st.lists(any_label, min_size=2).filter(lambda labels: len(set(labels)) > 1))
def test_each_label_is_one_id_and_comes_back(labels: list[str]) -> None:
    tokenizer = LabelTokenizer.learn(labels)
    assert sorted(tokenizer.labels) == sorted(set(labels))
    for label, index in zip(labels, tokenizer.ids_of(labels), strict=True):
        assert tokenizer.labels[index - len(SPECIAL_PIECES)] == label
        assert tokenizer.encode(label) == [index]
        assert tokenizer.decode([index]) == label


def test_the_most_frequent_comes_first_and_ties_go_by_code_points() -> None:
    assert LabelTokenizer.learn(list("bccacba")).labels == ("c", "a", "b")


@pytest.mark.parametrize("stranger", ["neutral", "", "<pad>", "</s>", "<unk>", "very  good"])
def test_what_was_not_learned_is_unknown(stranger: str) -> None:
    tokenizer = LabelTokenizer.learn(["good", "bad", "very good"])
    assert tokenizer.ids_of([stranger]) == [UNK]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    tokenizer = LabelTokenizer.learn(["B-PER", "O", "good enough", "O"])
    loaded = load_tokenizer(tokenizer.save(tmp_path, "tokenizer-target"))
    assert isinstance(loaded, LabelTokenizer)
    assert loaded.labels == tokenizer.labels
    assert loaded.vocabulary.fingerprint() == tokenizer.vocabulary.fingerprint()


def test_it_is_no_kind_for_text() -> None:
    assert LabelTokenizer.kind not in TOKENIZERS
    assert LabelTokenizer.kind not in KINDS


@pytest.mark.parametrize("labels", [[], ["one", "one"]])
def test_fewer_than_two_labels_are_refused(labels: list[str]) -> None:
    with pytest.raises(DataError, match=r"no labels|one label only, 'one'"):
        LabelTokenizer.learn(labels)


@pytest.mark.parametrize("label", ["<pad>", "<0x41>", "a\u2581b", "a\x0bb"])
def test_a_label_that_cannot_be_a_piece_is_named(label: str) -> None:
    with pytest.raises(DataError) as error:
        LabelTokenizer.learn(["good", label])
    assert error.value.what == f"{label!r} cannot be a label"
