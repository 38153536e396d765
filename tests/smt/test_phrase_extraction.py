"""Phrase extraction against a textbook's figure and against trying all spans."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.smt.lexicon import learn_lexicon
from seqcli.smt.links import make_links
from seqcli.smt.phrase_extraction import count_phrases
from tests.smt.phrase_corpora import (
    DISCONTINUOUS,
    MONOTONE,
    SWAP,
    Aligned,
    aligned,
    as_arrays,
    conditional,
    corpora,
    count_links,
    find_pairs,
    lexical_weight,
    phrase_texts,
)

# Koehn (2010), figure 5.6, and the phrase pairs that the book lists for it
MICHAEL = aligned(
    "michael geht davon aus , dass er im haus bleibt",
    "michael assumes that he will stay in the house",
    "0-0 1-1 2-1 3-1 5-2 6-3 9-4 9-5 7-6 7-7 8-8",
)
MICHAEL_PHRASES = """
michael : michael
michael geht davon aus : michael assumes
michael geht davon aus , : michael assumes
michael geht davon aus , dass : michael assumes that
michael geht davon aus , dass er : michael assumes that he
michael geht davon aus , dass er im haus bleibt : michael assumes that he will stay in the house
geht davon aus : assumes
geht davon aus , : assumes
geht davon aus , dass : assumes that
geht davon aus , dass er : assumes that he
geht davon aus , dass er im haus bleibt : assumes that he will stay in the house
dass : that
, dass : that
dass er : that he
, dass er : that he
dass er im haus bleibt : that he will stay in the house
, dass er im haus bleibt : that he will stay in the house
er : he
er im haus bleibt : he will stay in the house
im : in the
im haus : in the house
im haus bleibt : will stay in the house
haus : house
bleibt : will stay
"""


def lines(text: str) -> set[tuple[tuple[str, ...], ...]]:
    return {
        tuple(tuple(side.split()) for side in line.split(" : "))
        for line in text.strip().splitlines()
    }


def extracted(pair: Aligned, longest: int) -> set[tuple[tuple[str, ...], ...]]:
    corpus = as_arrays([pair])
    return set(phrase_texts(corpus.count(longest), corpus))


def test_the_textbook_example_gives_the_phrases_of_the_book() -> None:
    assert extracted(MICHAEL, longest=10) == lines(MICHAEL_PHRASES)


def test_no_phrase_is_longer_than_asked_on_either_side() -> None:
    short = {pair for pair in lines(MICHAEL_PHRASES) if max(map(len, pair)) <= 4}
    assert extracted(MICHAEL, longest=4) == short


@settings(max_examples=50)
@given(corpora, st.integers(1, 7))
def test_extraction_finds_what_trying_all_spans_finds(pairs: list[Aligned], longest: int) -> None:
    corpus = as_arrays(pairs)
    counts = corpus.count(longest)
    seen = [found for pair in pairs for found in find_pairs(pair, longest)]
    expected = Counter((found.source, found.target) for found in seen)
    texts = phrase_texts(counts, corpus)
    assert dict(zip(texts, counts.counts.tolist(), strict=True)) == expected
    orientations = defaultdict(lambda: [0] * 6)
    for found in seen:
        orientations[found.source, found.target][found.before] += 1
        orientations[found.source, found.target][3 + found.after] += 1
    assert dict(zip(texts, counts.orientations.tolist(), strict=True)) == orientations


@settings(max_examples=40)
@given(corpora)
def test_lexical_weights_are_the_best_over_the_alignments_of_a_pair(pairs: list[Aligned]) -> None:
    corpus = as_arrays(pairs)
    counts = corpus.count()
    links = count_links(pairs)
    backward, forward = conditional(links, given=1), conditional(links, given=0)
    expected: dict[object, list[float]] = defaultdict(lambda: [-np.inf, -np.inf])
    for pair in pairs:
        for seen in find_pairs(pair):
            best = expected[seen.source, seen.target]
            best[0] = max(best[0], lexical_weight(seen, backward, of_source=True))
            best[1] = max(best[1], lexical_weight(seen, forward, of_source=False))
    for text, weights in zip(phrase_texts(counts, corpus), counts.lexical, strict=True):
        np.testing.assert_allclose(weights, expected[text], rtol=1e-6, atol=1e-6)


@settings(max_examples=20)
@given(corpora, st.integers(2, 5))
def test_the_number_of_threads_changes_nothing(pairs: list[Aligned], threads: int) -> None:
    corpus = as_arrays(pairs)
    for one, several in zip(corpus.count()[:5], corpus.count(threads=threads)[:5], strict=True):
        np.testing.assert_array_equal(one, several)


def orientations(source: str, target: str, links: str) -> dict[str, tuple[int, int]]:
    """To the phrase before and to the one after, of each phrase pair that is there once."""
    corpus = as_arrays([aligned(source, target, links)])
    counts = corpus.count()
    return {
        " ".join(text[0]): (int(row[:3].argmax()), int(row[3:].argmax()))
        for text, row in zip(phrase_texts(counts, corpus), counts.orientations, strict=True)
    }


def test_a_translation_in_order_is_monotone_from_begin_to_end() -> None:
    found = orientations("a b c", "x y z", "0-0 1-1 2-2")
    assert set(found.values()) == {(MONOTONE, MONOTONE)}


def test_words_that_change_places_swap() -> None:
    found = orientations("a b", "x y", "0-1 1-0")
    assert found["a"] == (SWAP, DISCONTINUOUS)  # it ends neither side
    assert found["b"] == (DISCONTINUOUS, SWAP)
    assert found["a b"] == (MONOTONE, MONOTONE)


def test_a_verb_at_the_end_swaps_with_its_object_behind_the_auxiliary() -> None:
    found = orientations("er hat es gesehen", "he has seen it", "0-0 1-1 2-3 3-2")
    assert found["hat"] == (MONOTONE, MONOTONE)  # towards "es gesehen"
    assert found["gesehen"] == (DISCONTINUOUS, SWAP)
    assert found["es"] == (SWAP, DISCONTINUOUS)
    assert found["es gesehen"] == (MONOTONE, MONOTONE)


def test_a_text_without_a_link_has_no_phrases() -> None:
    assert extracted(aligned("a b", "x y", ""), 7) == set()
    assert extracted(aligned("a b", "", ""), 7) == set()


@pytest.mark.parametrize("links", [[(0, 2)], [(2, 0)], [(-1, 0)]])
def test_a_link_that_leads_out_of_its_sentences_is_named(links: list[tuple[int, int]]) -> None:
    corpus = as_arrays([aligned("a", "x", "0-0"), aligned("a b", "x y", "0-0")])
    with pytest.raises(DataError, match="alignment 2"):
        learn_lexicon(corpus.source, corpus.target, make_links([[(0, 0)], links]))


def test_an_alignment_is_missing_for_a_pair_of_sentences() -> None:
    corpus = as_arrays([aligned("a", "x", "0-0"), aligned("a b", "x y", "0-0")])
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    with pytest.raises(DataError, match="1 alignments"):
        count_phrases(corpus.source, corpus.target, make_links([[(0, 0)]]), lexicon)
