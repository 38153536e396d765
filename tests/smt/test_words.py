from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.errors import ModelError
from seqcli.smt.compounds import CompoundSplitter
from seqcli.smt.truecaser import Truecaser
from seqcli.smt.words import AnyWords, MosesWords, PieceWords, load_words, save_words
from seqcli.tokenizers import TokenizerConfig, train_tokenizer

LINES = ["Der Hund läuft.", "Ein Spielhaus aus Holz!", "zwei – T-Shirts, 3,5 kg"]


def moses_words(*, splits: bool, joins: bool = False) -> MosesWords:
    truecaser = Truecaser(
        ["der", "ein", "Spiel", "Haus", "zwei"], others=["T", "ZWEI"], has_capitals=True
    )
    frequencies = {"spiel": 10, "haus": 10}
    splitter = CompoundSplitter(frequencies, truecaser.usual, joins=joins) if splits else None
    return MosesWords("de", truecaser, splitter)


WORDS = {
    "Moses": moses_words(splits=False),
    "Moses, compounds split": moses_words(splits=True),
    "Moses, compounds split and joined": moses_words(splits=True, joins=True),
    "characters": PieceWords(train_tokenizer(LINES, TokenizerConfig(kind="characters"))),
    "unigrams": PieceWords(train_tokenizer(LINES, TokenizerConfig())),
}


@pytest.fixture(params=WORDS)
def words(request: pytest.FixtureRequest) -> AnyWords:
    return WORDS[request.param]


def test_a_line_is_cut_truecased_and_split_in_this_order() -> None:
    assert WORDS["Moses, compounds split"].split("Ein Spielhaus.") == ["ein", "Spiel", "Haus", "."]
    assert WORDS["Moses"].split("Ein Spielhaus.") == ["ein", "Spielhaus", "."]


def test_joined_words_start_with_a_capital() -> None:
    assert WORDS["Moses"].join(["der", "Hund", ",", "ja", "!"]) == "Der Hund, ja!"


@pytest.mark.parametrize("kind", ["characters", "unigrams", "Moses, compounds split and joined"])
def test_pieces_are_joined_without_loss(kind: str) -> None:
    lines = LINES if "Moses" not in kind else LINES[:2]
    assert [WORDS[kind].join(WORDS[kind].split(line)) for line in lines] == lines


def test_what_was_saved_cuts_lines_in_the_same_way(words: AnyWords, tmp_path: Path) -> None:
    save_words(tmp_path, "source", words)
    loaded = load_words(tmp_path, "source")
    for line in [*LINES, "der ZWEI, HAUS und Zwei"]:
        assert loaded.split(line) == words.split(line)
        assert loaded.join(words.split(line)) == words.join(words.split(line))


@given(line=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20))
def test_no_word_holds_what_would_break_a_file_of_words(line: str) -> None:
    for words in WORDS.values():
        assert not any("\n" in word or " " in word or not word for word in words.split(line))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"language": "\xff"}'])
def test_a_broken_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "words-source.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"words-source\.json cannot be read"):
        load_words(tmp_path, "source")
