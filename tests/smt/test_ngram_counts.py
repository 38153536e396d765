"""Counts found by sorting are those that a dictionary finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.ngram_counts import count_ngrams
from tests.smt.ngrams import PlainKneserNey, sentences_of

VOCABULARY_SIZE = 8
rows_of_words = st.lists(st.lists(st.integers(3, VOCABULARY_SIZE - 1), max_size=7), max_size=12)


@settings(deadline=None, max_examples=60)
@given(rows=rows_of_words, order=st.integers(1, 6))
def test_all_ngrams_are_counted_in_order(rows: list[list[int]], order: int) -> None:
    plain = PlainKneserNey(rows, VOCABULARY_SIZE, order)
    shorter = [()]
    for length, found in enumerate(count_ngrams(sentences_of(rows), VOCABULARY_SIZE, order), 1):
        ngrams = [
            (*shorter[context], int(word))
            for context, word in zip(found.contexts, found.words, strict=True)
        ]
        wanted = sorted(ngram for ngram in plain.counts if len(ngram) == length)
        if length == 1:
            assert ngrams == [(word,) for word in range(VOCABULARY_SIZE)]
        else:
            assert ngrams == wanted
        assert dict(zip(ngrams, found.counts, strict=True)) == {
            ngram: plain.counts[ngram] for ngram in ngrams
        }
        assert dict(zip(ngrams, found.adjusted, strict=True)) == {
            ngram: plain.adjusted.get(ngram, 0) for ngram in ngrams
        }
        assert [shorter[end] for end in found.ends] == [ngram[1:] for ngram in ngrams]
        shorter = ngrams


def test_the_order_ends_at_the_longest_sentence() -> None:
    found = count_ngrams(sentences_of([[4], []]), VOCABULARY_SIZE, 5)
    assert len(found) == 3  # <s> word </s>
    assert all(isinstance(ngrams.words, np.ndarray) for ngrams in found)


def test_no_ngram_reaches_over_the_end_of_a_sentence() -> None:
    together = count_ngrams(sentences_of([[4, 5], [6]]), VOCABULARY_SIZE, 3)
    alone = [count_ngrams(sentences_of([row]), VOCABULARY_SIZE, 3) for row in ([4, 5], [6])]
    assert sum(together[2].counts) == sum(sum(each[2].counts) for each in alone)
