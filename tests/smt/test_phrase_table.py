"""Look-up in a phrase table against a dict, and its files."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import ModelError
from seqcli.smt.corpus import encode_sentences
from seqcli.smt.phrase_scoring import score_phrases
from seqcli.smt.phrase_table import (
    PhraseTable,
    filter_table,
    find_phrases,
    load_phrase_table,
    save_phrase_table,
)
from tests.smt.phrase_corpora import Aligned, Corpus, aligned, as_arrays, corpora

PAIRS = [
    aligned("das haus ist klein", "the house is small", "0-0 1-1 2-2 3-3"),
    aligned("das buch", "a the book", "0-1 1-2"),
]


def table_of(corpus: Corpus) -> PhraseTable:
    return score_phrases(corpus.count(), corpus.source, corpus.target)


def sources_of(table: PhraseTable) -> list[tuple[int, ...]]:
    starts = table.source_starts.tolist()
    return [tuple(table.source_ids[a:b].tolist()) for a, b in pairwise(starts)]


@settings(max_examples=50)
@given(corpora, st.lists(st.integers(3, 9), max_size=9), st.integers(1, 7))
def test_all_parts_of_a_sentence_that_are_phrases_are_found(
    pairs: list[Aligned], words: list[int], longest: int
) -> None:
    table = table_of(as_arrays(pairs))
    numbers = {phrase: number for number, phrase in enumerate(sources_of(table))}
    expected = [
        (begin, end, numbers[tuple(words[begin:end])])
        for begin in range(len(words))
        for end in range(begin + 1, min(len(words), begin + longest) + 1)
        if tuple(words[begin:end]) in numbers
    ]
    found = find_phrases(table, np.array(words, np.int32), longest)
    assert list(zip(*(array.tolist() for array in found), strict=True)) == expected


@settings(max_examples=40)
@given(corpora, st.lists(st.lists(st.sampled_from("abcd"), max_size=6), max_size=3))
def test_a_filtered_table_serves_its_sentences_alike(
    pairs: list[Aligned], lines: list[list[str]]
) -> None:
    corpus = as_arrays(pairs)
    sentences = encode_sentences(lines, corpus.source_vocabulary)
    table = table_of(corpus)
    small = filter_table(table, sentences)
    used = set()
    for n in range(len(lines)):
        ids = sentences.ids[sentences.starts[n] : sentences.starts[n + 1]]
        before, after = find_phrases(table, ids, 7), find_phrases(small, ids, 7)
        np.testing.assert_array_equal(before[:2], after[:2])
        for one, other in zip(before[2], after[2], strict=True):
            used.add(int(other))
            for was, now in zip(entries(table, one), entries(small, other), strict=True):
                np.testing.assert_array_equal(was, now)
    assert used == set(range(len(small.pair_starts) - 1))


def entries(table: PhraseTable, phrase: int) -> list[np.ndarray]:
    """All that the table says of the pairs of a phrase."""
    first, last = table.pair_starts[phrase : phrase + 2]
    words = table.target_ids[table.target_starts[first] : table.target_starts[last]]
    lengths = np.diff(table.target_starts[first : last + 1])
    return [words, lengths, table.scores[first:last], table.reordering[first:last]]


@pytest.mark.parametrize("pairs", [PAIRS, []])
def test_a_table_survives_its_files(pairs: list[Aligned], tmp_path: Path) -> None:
    table = table_of(as_arrays(pairs))
    save_phrase_table(table, tmp_path)
    for name, before, after in zip(table._fields, table, load_phrase_table(tmp_path), strict=True):
        np.testing.assert_array_equal(before, after, name)
        assert before.dtype == after.dtype


@pytest.mark.parametrize("name", PhraseTable._fields)
def test_a_file_that_is_missing_cut_or_foreign_is_a_broken_model(name: str, tmp_path: Path) -> None:
    table = table_of(as_arrays(PAIRS))
    save_phrase_table(table, tmp_path)
    path = tmp_path / f"{name}.npy"
    content, array = path.read_bytes(), getattr(table, name)
    path.write_bytes(content[:-1])
    assert_broken(tmp_path)
    path.write_bytes(b"")
    assert_broken(tmp_path)
    path.unlink()
    assert_broken(tmp_path)
    for foreign in (array.astype(np.float64), array[:-1]):
        save_phrase_table(table._replace(**{name: foreign}), tmp_path)
        assert_broken(tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("source_starts", 1, 0),
        ("source_starts", 0, -1),
        ("pair_starts", -1, 10**6),
        ("target_starts", 2, 10**6),
        ("target_ids", 1, -1),
        ("source_ids", 0, -5),
        ("source_ids", 0, 100),  # phrases are no longer sorted
        ("scores", 0, np.nan),
        ("reordering", 1, np.inf),
    ],
)
def test_numbers_that_lead_nowhere_are_a_broken_model(
    name: str, place: int, value: float, tmp_path: Path
) -> None:
    table = table_of(as_arrays(PAIRS))
    getattr(table, name)[place] = value
    save_phrase_table(table, tmp_path)
    assert_broken(tmp_path)


def assert_broken(folder: Path) -> None:
    with pytest.raises(ModelError, match="is broken"):
        load_phrase_table(folder)
