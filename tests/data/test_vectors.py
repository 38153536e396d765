"""Word vectors read from text files against those that were written."""

import gzip
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.data import vectors
from seqcli.data.vectors import PretrainedVectors, read_vectors, vector_size
from seqcli.errors import DataError
from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.tokenizers.vocabulary import BYTE_PIECES, SPECIAL_PIECES, Vocabulary

LINES = ["two 1 2 3", "men -4 5e-1 6", ". . . 7 8 9", "Two 0.25 .5 1.", ". 1 1 2"]

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=" \0\n\r\ufeff\u2581"), min_size=1
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[float]]:
    """Different words, each with a vector of the same size."""
    size = draw(st.integers(1, 5))
    values = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False))
    vector = values.map(lambda row: (row + [0.5] * size)[:size])
    return draw(st.dictionaries(words, vector, min_size=1, max_size=8))


def vocabulary(*pieces: str) -> Vocabulary:
    return Vocabulary([*SPECIAL_PIECES, *pieces])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors") / "vectors.txt"


def written(path: Path, lines: Sequence[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def by_piece(pieces: Vocabulary, read: PretrainedVectors) -> dict[str, list[float]]:
    assert read.ids_N.dtype == np.int64
    assert read.vectors_NE.dtype == np.float32
    assert (np.diff(read.ids_N) > 0).all()
    return dict(zip(pieces.pieces_of(read.ids_N), read.vectors_NE.tolist(), strict=True))


def pieces_read(path: Path, lines: Sequence[str], *pieces: str) -> dict[str, list[float]]:
    known = vocabulary(*pieces)
    return by_piece(known, read_vectors(written(path, lines), known))


@given(tables(), st.booleans(), st.booleans(), st.booleans(), st.data())
def test_what_was_written_is_read_for_the_pieces_that_are_known(
    path: Path,
    table: dict[str, list[float]],
    header: bool,
    space_at_end: bool,
    packed: bool,
    data: st.DataObject,
) -> None:
    size = len(next(iter(table.values())))
    rows = [" ".join([word, *map(repr, vector)]) for word, vector in table.items()]
    lines = [f"{len(table)} {size}"] * header + [row + " " * space_at_end for row in rows]
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    chosen = data.draw(st.lists(st.sampled_from(sorted(table)), unique=True, min_size=1))
    known = vocabulary(*(f"\u2581{word}" for word in chosen))
    assert vector_size(path) == size
    read = by_piece(known, read_vectors(path, known))
    assert read == {f"\u2581{word}": table[word] for word in chosen}


def test_a_piece_takes_the_vector_of_its_word_at_the_start_and_inside(path: Path) -> None:
    read = pieces_read(path, LINES, "\u2581two", "two", ".", "\u2581", "women")
    assert read == {"\u2581two": [1, 2, 3], "two": [1, 2, 3], ".": [1, 1, 2]}


def test_exact_case_goes_before_lower_case_wherever_it_stands(path: Path) -> None:
    for lines in (LINES, LINES[::-1]):
        read = pieces_read(path, lines, "\u2581Two", "two", "Men", "\u2581MEN")
        assert read["\u2581Two"] == [0.25, 0.5, 1]
        assert read["two"] == [1, 2, 3]
        assert read["Men"] == read["\u2581MEN"] == [-4, 0.5, 6]


def test_an_upper_case_word_is_no_match_for_a_lower_case_piece(path: Path) -> None:
    assert pieces_read(path, ["Two 1 2", "men 3 4"], "two", "men") == {"men": [3, 4]}


def test_special_pieces_take_no_vector(path: Path) -> None:
    lines = [f"{piece} 1 2" for piece in SPECIAL_PIECES]
    assert pieces_read(path, [*lines, "two 3 4"], "two") == {"two": [3, 4]}


def test_the_first_of_repeated_words_counts(path: Path) -> None:
    assert pieces_read(path, ["two 1 2", "two 3 4", "two 5 x"], "two") == {"two": [1, 2]}


def test_words_with_spaces_are_passed_over(path: Path) -> None:
    lines = [". . . 1 2", "at name@example.org 3 4", "at 5 pm 1 2", "at 5 6"]
    assert vector_size(written(path, lines)) == 2
    assert pieces_read(path, lines, "at", ".") == {"at": [5, 6]}


def test_only_a_plain_space_ends_a_word(path: Path) -> None:
    lines = ["a\xa0b 1 2", "\x85 3 4", " 5 6", "c\u2028 7 8"]
    assert pieces_read(path, lines, "a\xa0b", "a", "\x85", "c\u2028") == {
        "a\xa0b": [1, 2],
        "\x85": [3, 4],
        "c\u2028": [7, 8],
    }


def test_a_number_can_be_a_word(path: Path) -> None:
    lines = ["2004 1 2", "nan 3 4", "3 5 6"]
    assert vector_size(written(path, lines)) == 2
    assert pieces_read(path, lines, "2004", "nan") == {"2004": [1, 2], "nan": [3, 4]}


@pytest.mark.parametrize("kind", ["unigram", "bpe", "characters", "words"])
def test_each_kind_of_tokenizer_gets_the_vectors_of_what_its_pieces_spell(
    path: Path, kind: str
) -> None:
    text = ["two men walk a dog", "two dogs walk", "a man and a dog"] * 20
    tokenizer = train_tokenizer(text, TokenizerConfig(kind=kind))
    table = {"a": [1, 2], "dog": [3, 4], "men": [5, 6], "walk": [7, 8], "w": [9, 0]}
    lines = [f"{word} {vector[0]} {vector[1]}" for word, vector in table.items()]
    read = read_vectors(written(path, lines), tokenizer.vocabulary)
    spelled = {index: tokenizer.decode([index]) for index in range(len(tokenizer.vocabulary))}
    expected = {
        index: table[word]
        for index, word in spelled.items()
        if word in table and tokenizer.vocabulary.pieces[index] not in BYTE_PIECES
    }
    assert dict(zip(read.ids_N.tolist(), read.vectors_NE.tolist(), strict=True)) == expected


def test_the_numbers_of_other_words_are_never_parsed(path: Path) -> None:
    assert pieces_read(path, ["two 1 2", "men x y", "a 3 4"], "two", "a") == {
        "two": [1, 2],
        "a": [3, 4],
    }


def test_the_file_is_read_once_and_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = most = 0

    class Line(str):
        def rstrip(self, chars: str | None = None) -> "Line":
            return Line(super().rstrip(chars))

        def __new__(cls, text: str) -> "Line":
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, text)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def lines(path: str) -> Iterator[str]:
        yield from (Line(f"word{number} 1 2") for number in range(1000))

    monkeypatch.setattr(vectors, "read_lines", lines)
    assert len(read_vectors("any", vocabulary("word7", "word999")).ids_N) == 2
    assert most < 10


def test_the_size_is_known_from_the_first_two_lines(path: Path) -> None:
    assert vector_size(written(path, ["2 3", "two 1 2 3", "men 1"])) == 3
    assert vector_size(written(path, ["two 1 2 3", "men 1"])) == 3


@pytest.mark.parametrize("lines", [[], ["400000 300"]])
def test_a_file_without_words_is_refused(path: Path, lines: list[str]) -> None:
    with pytest.raises(DataError, match=r"vectors\.txt is empty"):
        vector_size(written(path, lines))
    with pytest.raises(DataError, match=r"vectors\.txt is empty"):
        read_vectors(path, vocabulary("two"))


@pytest.mark.parametrize("line", ["Two men walk.", "", "two", "two\t1\t2", "{", "0.5"])
def test_other_text_is_refused_at_its_first_line(path: Path, line: str) -> None:
    with pytest.raises(DataError, match="line 1: this is not a file of word vectors") as error:
        vector_size(written(path, [line, "two 1 2"]))
    assert error.value.why
    assert error.value.fix


def binary_word2vec(rows: Mapping[str, Sequence[float]], end: bytes) -> bytes:
    size = len(next(iter(rows.values())))
    entries = [
        word.encode() + b" " + struct.pack(f"<{size}f", *row) + end for word, row in rows.items()
    ]
    return f"{len(rows)} {size}\n".encode() + b"".join(entries)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["of gensim", "of word2vec"])
@pytest.mark.parametrize(
    "row",
    [[1.0, 2.0, 0.5], [0.1, -0.2, 0.3], struct.unpack("<3f", b"\n\x01A>" * 3)],
    ids=["mostly NUL", "no UTF-8", "read as lines"],
)
def test_a_binary_file_of_word2vec_is_named_as_such(
    path: Path, row: Sequence[float], end: bytes, packed: bool
) -> None:
    content = binary_word2vec({"two": row, "men": row}, end)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_refused_as_binary(path)


def test_a_binary_file_of_fasttext_is_named_as_such(path: Path) -> None:
    path.write_bytes(struct.pack("<iiii", 793712314, 12, 300, 5))  # its magic number and version
    assert_refused_as_binary(path)


def assert_refused_as_binary(path: Path) -> None:
    for read in (vector_size, lambda path: read_vectors(path, vocabulary("two"))):
        with pytest.raises(DataError, match=r"vectors\.txt is a binary file") as error:
            read(path)
        assert "word2vec" in error.value.why
        assert "binary=False" in error.value.fix


@pytest.mark.parametrize("lines", ["Mönch 1 2\n", "1 2\nMönch 1 2\n", "1 2\nZoë Bär 1 2 \n"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_in_another_encoding_is_told_from_a_binary_file(
    path: Path, lines: str, encoding: str
) -> None:
    path.write_bytes(lines.encode(encoding))
    with pytest.raises(DataError, match=r"not UTF-8|NUL byte") as error:
        vector_size(path)
    assert "iconv" in error.value.fix


@pytest.mark.parametrize("header", [[], ["9 3"]])
@pytest.mark.parametrize(("line", "count"), [("a 1 2", 2), ("a 1 2 3 4", 4), ("a", 0), ("", 0)])
def test_a_line_of_another_size_is_named(
    path: Path, header: list[str], line: str, count: int
) -> None:
    lines = [*header, "two 1 2 3", line, "men 1 2 3"]
    place = f"line {len(header) + 2}: {count} values, but the first line says 3"
    with pytest.raises(DataError, match=place) as error:
        read_vectors(written(path, lines), vocabulary("two"))
    assert str(path) in error.value.what
    assert error.value.why
    assert error.value.fix


def test_a_header_that_does_not_fit_is_found_early(path: Path) -> None:
    with pytest.raises(DataError, match="line 2: 2 values, but the first line says 3"):
        vector_size(written(path, ["9 3", "two 1 2"]))


@pytest.mark.parametrize("value", ["x", "nan", "inf", "-Infinity", "1e39", "", "0,5", "0x1"])
def test_a_value_that_is_no_finite_number_is_named(path: Path, value: str) -> None:
    lines = ["men 1 2 3", f"two 1 {value} 3"]
    with pytest.raises(DataError, match=f"line 2: '{value}' is not a finite number") as error:
        read_vectors(written(path, lines), vocabulary("two"))
    assert str(path) in error.value.what
    assert error.value.why
    assert error.value.fix


def test_a_file_without_any_piece_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="none of its words is a piece") as error:
        read_vectors(written(path, LINES), vocabulary("\u2581zwei"))
    assert str(path) in error.value.what
    assert "language" in error.value.why
    assert error.value.fix
