"""Pretrained word vectors from text files of word2vec and fastText (with a header) and GloVe."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcli.errors import DataError
from seqcli.text.lines import name_of, open_unpacked, read_lines
from seqcli.tokenizers.vocabulary import SPACE, SPECIAL_PIECES, Vocabulary

HEADER = re.compile(r"[0-9]+ ([0-9]+)")  # number of words, size of a vector
# Bytes that text never has, unless it is UTF-16 (which begins with a mark or has a NUL at once), or
# letters beyond ASCII where the line after the header should end in a number.
BINARY = re.compile(
    rb"(?!\xff\xfe|\xfe\xff|.?\0).*?[\0-\x08\x0e-\x1a\x1c-\x1f]"
    rb"|[0-9]+ [0-9]+\n[^\n]*[\x80-\xff][^ \n]*(\n|$)",
    re.DOTALL,
)
BINARY_BY = 4096  # bytes from the start that are searched for them


@dataclass(frozen=True, slots=True, eq=False)
class PretrainedVectors:
    """The vectors of those pieces that a file has: row n belongs to the piece `ids_N[n]`."""

    ids_N: NDArray[np.int64]  # ascending
    vectors_NE: NDArray[np.float32]


def vector_size(path: str | Path) -> int:
    """How many values each vector has, by the first two lines of the file alone.

    DataError if the file is empty or its first word has no vector.
    """
    return _open(path)[0]


def read_vectors(path: str | Path, vocabulary: Vocabulary) -> PretrainedVectors:
    """Read the vectors of the pieces of a vocabulary, and hold no others.

    A piece takes the vector of the word that it spells, without the mark of a word's start: inside
    a word too, as punctuation and scripts without spaces stand there. It takes that of the
    lower-cased word if the file lacks the word itself. The first of repeated words counts. PAD,
    BOS, EOS and UNK take none, and words with a space in them are not pieces.

    DataError names the line with another number of values than the first, or with a value that is
    not a finite number, and says so if no piece is in the file.
    """
    words = [piece.removeprefix(SPACE) for piece in vocabulary.pieces]
    first = len(SPECIAL_PIECES)
    found = _find(path, {form for word in words[first:] for form in (word, word.lower()) if form})
    vectors = {
        index: found[form]
        for index, word in enumerate(words)
        for form in (word.lower(), word)  # the latter, if found, replaces the former
        if index >= first and form in found
    }
    if not vectors:
        raise DataError(
            f"{name_of(path)}: none of its words is a piece of the vocabulary",
            why="it may be of another language, or the tokenizer's pieces are too short for words",
            fix="Take vectors of the language of the text, or a tokenizer of the kind words",
        )
    return PretrainedVectors(np.array(list(vectors), np.int64), np.stack(list(vectors.values())))


def _find(path: str | Path, wanted: set[str]) -> dict[str, NDArray[np.float32]]:
    """The vectors of the wanted words; the numbers of all other words stay unread."""
    size, lines = _open(path)
    found: dict[str, NDArray[np.float32]] = {}
    for number, line in lines:
        place = f"{name_of(path)}, line {number}"
        _check_count(line, size, place)
        word = line[: line.find(" ")]
        if word in wanted and word not in found and line.count(" ") == size:
            found[word] = _values(line.split(" ")[1:], place)
    return found


def _open(path: str | Path) -> tuple[int, Iterator[tuple[int, str]]]:
    """The size of the vectors and the numbered lines of words, the first of them checked."""
    try:
        return _open_text(path)
    except DataError as error:
        with open_unpacked(path) as stream:
            if not BINARY.match(stream.read(BINARY_BY)):
                raise
        raise DataError(
            f"{name_of(path)} is a binary file, and word vectors are read from text files",
            why="it holds bytes that text never has, as the .bin files of word2vec and fastText do",
            fix="Take the .vec file of fastText, or convert with gensim: load it by "
            "KeyedVectors.load_word2vec_format(OLD, binary=True), or by "
            "fasttext.load_facebook_vectors(OLD) if it is of fastText, then call "
            ".save_word2vec_format(NEW, binary=False)",
        ) from error


def _open_text(path: str | Path) -> tuple[int, Iterator[tuple[int, str]]]:
    stripped = (line.rstrip(" ") for line in read_lines(path))  # word2vec ends lines by a space
    lines = enumerate(stripped, start=1)
    entry = next(lines, None)
    header = entry and HEADER.fullmatch(entry[1])
    if header:
        entry = next(lines, None)
    if entry is None:
        raise DataError(
            f"{name_of(path)} is empty" + (" but for its header" if header else ""),
            why="there are no word vectors to read",
            fix="Check that it is the right file, and that it was copied whole",
        )
    number, line = entry
    place = f"{name_of(path)}, line {number}"
    size = int(header[1]) if header else _trailing_numbers(line)
    if size == 0:
        raise DataError(
            f"{place}: this is not a file of word vectors",
            why="a line holds a word and its numbers, with single spaces between them",
            fix="Give a text file of word2vec, fastText or GloVe",
        )
    _check_count(line, size, place)
    return size, itertools.chain([entry], lines)


def _check_count(line: str, size: int, place: str) -> None:
    """DataError if there are not `size` values. A word may have spaces: the last are the values."""
    count = line.count(" ")
    if count < size or (count > size and all(map(_is_number, line.split(" ")[1:]))):
        raise DataError(
            f"{place}: {count} values, but the first line says {size}",
            why="all vectors of a file have the same size",
            fix="Copy the file again, or remove the line",
        )


def _values(fields: Sequence[str], place: str) -> NDArray[np.float32]:
    numbers = [float(field) if _is_number(field) else np.nan for field in fields]
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused
        values_E = np.array(numbers, dtype=np.float32)
    finite_E = np.isfinite(values_E)
    if not finite_E.all():
        raise DataError(
            f"{place}: {fields[int(finite_E.argmin())]!r} is not a finite number",
            why="a model that starts from it could not be trained",
            fix="Copy the file again, or remove the line",
        )
    return values_E


def _trailing_numbers(line: str) -> int:
    """How many numbers end the line, the first field not counted: it is the word."""
    fields = line.split(" ")[1:]
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(fields)))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
