"""Scores of phrase pairs against counting in dicts."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.ngram_estimation import FALLBACK_DISCOUNTS, discounts_of
from seqcli.smt.phrase_scoring import log_probabilities, score_phrases
from seqcli.smt.phrase_table import PhraseTable
from seqcli.tokenizers.vocabulary import UNK, Vocabulary
from tests.smt.phrase_corpora import Aligned, Corpus, as_arrays, corpora, phrase_texts

cells = st.tuples(st.integers(0, 5), st.integers(0, 5))
tables = st.dictionaries(cells, st.integers(1, 6), min_size=1, max_size=20)


def as_counts(table: dict[tuple[int, int], int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    events, contexts = zip(*table, strict=True)
    return (
        np.array(list(table.values()), np.int32),
        np.array(events, np.int32),
        np.array(contexts, np.int32),
    )


def discounts_of_table(counts: np.ndarray) -> list[float]:
    amounts = discounts_of(counts)  # those of the n-gram model, which has tests of its own
    return list(FALLBACK_DISCOUNTS if amounts is None else amounts)


@settings(max_examples=50)
@given(tables)
def test_probabilities_are_those_of_the_kneser_ney_formula(
    table: dict[tuple[int, int], int],
) -> None:
    counts, events, contexts = as_counts(table)
    discounts = discounts_of_table(counts)
    found = log_probabilities(counts, events, contexts)
    for (event, context), count, score in zip(table, counts, found, strict=True):
        of_context = [number for cell, number in table.items() if cell[1] == context]
        freed = sum(discounts[min(number, 3) - 1] for number in of_context)
        spread = sum(cell[0] == event for cell in table) / len(table)
        rest = count - discounts[min(count, 3) - 1]
        expected = (rest + freed * spread) / sum(of_context)
        assert math.exp(score) == pytest.approx(expected)


@settings(max_examples=50)
@given(tables)
def test_what_the_seen_leave_over_belongs_to_the_unseen(table: dict[tuple[int, int], int]) -> None:
    counts, events, contexts = as_counts(table)
    discounts = discounts_of_table(counts)
    found = np.exp(log_probabilities(counts, events, contexts))
    for context in set(contexts.tolist()):
        here = contexts == context
        freed = sum(discounts[min(count, 3) - 1] for count in counts[here].tolist())
        unseen = sum(cell[0] not in events[here] for cell in table) / len(table)
        assert found[here].sum() + freed / counts[here].sum() * unseen == pytest.approx(1)


@settings(max_examples=40)
@given(corpora)
def test_no_pair_has_an_unknown_word_and_the_others_keep_their_scores(pairs: list[Aligned]) -> None:
    corpus = as_arrays(pairs)
    counts = corpus.count()
    known = score_phrases(counts, corpus.source, corpus.target)
    unknown = {"a", "x"}
    strange = [
        corpus.source._replace(ids=replaced(corpus.source.ids, corpus.source_vocabulary, "a")),
        corpus.target._replace(ids=replaced(corpus.target.ids, corpus.target_vocabulary, "x")),
    ]
    found = score_phrases(counts, *strange)
    wanted = [
        (pair, row.tolist())
        for pair, row in zip(pairs_of(known, corpus), known.scores, strict=True)
        if not unknown & {*pair[0], *pair[1]}
    ]
    assert pairs_of(found, corpus) == [pair for pair, _ in wanted]
    assert found.scores.tolist() == [row for _, row in wanted]


def replaced(ids: np.ndarray, vocabulary: Vocabulary, word: str) -> np.ndarray:
    return np.where(ids == vocabulary.ids_of(word)[0], UNK, ids)


def pairs_of(table: PhraseTable, corpus: Corpus) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The words of the pairs in the order of the table."""
    texts = []
    for phrase in range(len(table.pair_starts) - 1):
        begin, end = table.source_starts[phrase : phrase + 2]
        source = tuple(corpus.source_vocabulary.pieces_of(table.source_ids[begin:end].tolist()))
        for pair in range(*table.pair_starts[phrase : phrase + 2]):
            begin, end = table.target_starts[pair : pair + 2]
            target = corpus.target_vocabulary.pieces_of(table.target_ids[begin:end].tolist())
            texts.append((source, tuple(target)))
    return texts


@settings(max_examples=40)
@given(corpora, st.integers(1, 4))
def test_the_table_holds_the_best_pairs_of_each_phrase(
    pairs: list[Aligned], most_targets: int
) -> None:
    corpus = as_arrays(pairs)
    counts = corpus.count()
    table = score_phrases(counts, corpus.source, corpus.target, most_targets=most_targets)
    forward = log_probabilities(counts.counts, counts.target, counts.source)
    texts = phrase_texts(counts, corpus)
    ids = dict(zip(texts, range(len(texts)), strict=True))
    ranked = sorted(
        texts, key=lambda text: (counts.source[ids[text]], -forward[ids[text]], ids[text])
    )
    places: Counter[tuple[str, ...]] = Counter()
    expected = []
    for text in ranked:
        places[text[0]] += 1
        if places[text[0]] <= most_targets:
            expected.append(text)
    assert pairs_of(table, corpus) == expected
    rows = [ids[text] for text in expected]
    backward = log_probabilities(counts.counts, counts.source, counts.target)
    np.testing.assert_allclose(table.scores[:, 0], backward[rows], rtol=1e-5)
    np.testing.assert_array_equal(table.scores[:, 1], counts.lexical[rows, 0])
    np.testing.assert_allclose(table.scores[:, 2], forward[rows], rtol=1e-5)
    np.testing.assert_array_equal(table.scores[:, 3], counts.lexical[rows, 1])
    np.testing.assert_array_equal(table.scores[:, 4], counts.counts[rows] == 1)
    sources = [
        tuple(table.source_ids[a:b].tolist())
        for a, b in zip(table.source_starts[:-1], table.source_starts[1:], strict=True)
    ]
    assert sources == sorted(set(sources))
