"""ARPA files: what is written is read again, and a fault is named with its line."""

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import DataError, OutputError
from seqcli.smt.arpa import read_arpa, write_arpa
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_model import NgramModel
from seqcli.tokenizers import BOS, EOS, PAD, UNK
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES
from tests.smt.ngrams import sentences_of

PIECES = (*SPECIAL_PIECES, "der", "Hund", "läuft", "▁x")
FILE = """from another program

\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1.0\t<unk>
0\t<s>\t-0.3
-0.7\t</s>
-0.5 der -0.25
-0.9\tHund\t-0.1

\\2-grams:
-0.2\t<s> der\t-0.05
-0.4\tder Hund\t0.125
-0.6\tHund </s>

\\3-grams:
-0.15\t<s> der Hund

\\end\\
"""


def learned(order: int = 3) -> NgramModel:
    rows = [[4, 5, 6], [4, 5], [6, 4, 5, 7], [7]]
    return estimate_ngram_model(sentences_of(rows), len(PIECES), order=order)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.arpa"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_model_is_the_same_when_written_and_read(tmp_path: Path, name: str, order: int) -> None:
    path, model = tmp_path / name, learned(order)
    write_arpa(model, PIECES, path)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith("gz")
    again, vocabulary = read_arpa(path)
    assert vocabulary.pieces == PIECES
    assert again.sizes == model.sizes
    for name, array in model.arrays._asdict().items():
        assert getattr(again.arrays, name) == pytest.approx(array, abs=2e-6, rel=1e-6)


def test_writing_is_reproducible(tmp_path: Path) -> None:
    for name in ("a.arpa.gz", "b.arpa.gz"):
        write_arpa(learned(), PIECES, tmp_path / name)
    contents = [gzip.decompress(path.read_bytes()) for path in sorted(tmp_path.iterdir())]
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"\\data\\\nngram 1=7\n")  # all words but PAD


def test_a_file_of_another_program_is_read(tmp_path: Path) -> None:
    model, vocabulary = read_arpa(written(tmp_path, FILE))
    der, hund = vocabulary.id("der"), vocabulary.id("Hund")
    assert vocabulary.pieces == (*SPECIAL_PIECES, "der", "Hund")
    assert model.order == 3

    def after(*history: int) -> int:
        state = model.begin_state
        for word in history:
            _, state = model.next_word(state, word)
        return state

    wanted = {
        (after(), der): -0.2,
        (after(der), hund): -0.15,
        (after(der, hund), EOS): 0.125 - 0.6,
        (after(UNK, der), hund): -0.4,
        (after(UNK, der, hund), UNK): 0.125 - 0.1 - 1.0,
        (after(UNK), der): -0.5,
    }
    for (state, word), log_10 in wanted.items():
        assert model.next_word(state, word)[0] == pytest.approx(log_10 * math.log(10), rel=1e-5)
    assert model.next_word(0, BOS)[0] < -200  # never predicted, whatever the file says
    assert model.next_word(0, PAD)[0] < -200


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        read_arpa(written(tmp_path, ""))


def test_a_highest_order_without_ngrams_is_left_out(tmp_path: Path) -> None:
    text = FILE.replace("ngram 3=1", "ngram 3=0").replace("-0.15\t<s> der Hund\n", "")
    assert read_arpa(written(tmp_path, text))[0].order == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("\\data\\", "data", 23, "ends before"),
        ("ngram 2=3", "ngram 3=3", 5, "number of 2-grams"),
        ("ngram 1=5", "ngram 1=0", 8, "number of 4-grams"),
        ("ngram 1=5", "ngram 1=99999999999999999999", 4, "number of 1-grams"),
        ("ngram 1=5", "ngram 1=999999999999999999", 15, "no 1-gram"),
        ("-0.5 der -0.25\n-0.9\tHund", "\n\n-0.5 der -0.25\n\n-0.9\tder", 16, "twice"),
        ("-0.15\t<s> der Hund", "\n\n-0.15\tHund der Hund", 23, "the first 2 words"),
        ("-0.5 der -0.25", "-0.5 der -0.25 x", 12, "no 1-gram"),
        ("-0.5 der", "0.5 der", 12, "0 or less"),
        ("-0.5 der", "nan der", 12, "0 or less"),
        ("-0.5 der", "x der", 12, "could not convert"),
        ("der Hund\t0.125", "der Katze\t0.125", 17, "'Katze' is not among"),
        ("-0.6\tHund </s>\n", "", 19, "no 2-gram"),
        ("-0.6\tHund </s>\n", "-0.6\tHund </s>\n-0.6\tder </s>\n", 19, "where"),
        ("-0.6\tHund </s>", "-0.6\tder Hund", 18, "twice"),
        ("-0.9\tHund", "-0.9\tder", 13, "twice"),
        ("<s> der Hund", "Hund der Hund", 21, "the first 2 words"),
        ("\\end\\\n", "", 23, "the file ends"),
        ("\n\\3-grams:\n-0.15\t<s> der Hund\n\n\\end\\\n", "", 19, "the file ends"),
    ],
)
def test_a_fault_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    path = written(tmp_path, FILE.replace(old, new))
    with pytest.raises(DataError, match=what) as raised:
        read_arpa(path)
    assert f"{path}, line {line}: " in raised.value.what


@settings(deadline=None, max_examples=40)
@given(place=st.integers(0, len(FILE)), noise=st.text(max_size=4), cut=st.integers(0, 5))
def test_whatever_is_in_a_file_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, noise: str, cut: int
) -> None:
    text = FILE[:place] + noise.replace("\ud800", "") + FILE[place + cut :]
    path = tmp_path_factory.getbasetemp() / "any.arpa"
    path.write_bytes(text.encode(errors="replace"))
    try:
        model, vocabulary = read_arpa(path)
    except DataError:
        return
    assert model.vocabulary_size == len(vocabulary)


def test_a_piece_with_a_tab_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_arpa(learned(), (*PIECES[:-1], "a\tb"), tmp_path / "a.arpa")
    assert not list(tmp_path.iterdir())
