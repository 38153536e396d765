"""Word translation probabilities against plain counting, and their file."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from seqcli.errors import ModelError
from seqcli.smt.corpus import learn_vocabulary
from seqcli.smt.lexicon import LEXICON, learn_lexicon, load_lexicon, save_lexicon, word_weights
from tests.smt.phrase_corpora import (
    Aligned,
    aligned,
    as_arrays,
    conditional,
    corpora,
    count_links,
)

PAIRS = [
    aligned("das haus ist", "the house", "0-0 1-1"),
    aligned("das buch", "a the book", "0-1 1-2"),
]


@settings(max_examples=50)
@given(corpora)
def test_probabilities_are_shares_of_links(pairs: list[Aligned]) -> None:
    corpus = as_arrays(pairs)
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    texts = [
        (corpus.source_vocabulary.pieces[source], corpus.target_vocabulary.pieces[target])
        for source, target in zip(lexicon.source, lexicon.target, strict=True)
    ]
    pieces = [
        (source.replace("<pad>", ""), target.replace("<pad>", "")) for source, target in texts
    ]
    counts = count_links(pairs)
    forth, back = conditional(counts, given=0), conditional(counts, given=1)
    assert dict(zip(pieces, lexicon.target_given_source, strict=True)) == pytest.approx(forth)
    assert dict(zip(pieces, lexicon.source_given_target, strict=True)) == pytest.approx(back)
    assert sorted(zip(lexicon.source, lexicon.target, strict=True)) == list(
        zip(lexicon.source, lexicon.target, strict=True)
    )


def test_the_weight_of_a_word_is_the_mean_over_its_links() -> None:
    corpus = as_arrays([aligned("a b", "x y z", "0-0 0-1"), aligned("a a", "x", "1-0")])
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    source, target = word_weights(lexicon, corpus.source, corpus.target, corpus.links)
    # links: a-x twice, a-y once; a and b once each, z once without a link
    np.testing.assert_allclose(np.exp(source), [(1 + 1) / 2, 1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(np.exp(target), [2 / 4, 1 / 4, 1, 2 / 4])


def test_words_without_any_link_weigh_what_they_do_given_null() -> None:
    corpus = as_arrays([aligned("a b a", "x", "")])
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    source, target = word_weights(lexicon, corpus.source, corpus.target, corpus.links)
    np.testing.assert_allclose(np.exp(source), [2 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(np.exp(target), [1])


def test_a_lexicon_of_other_words_is_refused() -> None:
    corpus = as_arrays(PAIRS)
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    shorter = lexicon._replace(source=lexicon.source[1:], target=lexicon.target[1:])
    with pytest.raises(KeyError):
        word_weights(shorter, corpus.source, corpus.target, corpus.links)


def test_the_file_is_text_that_says_what_it_means(tmp_path: Path) -> None:
    corpus = as_arrays(PAIRS)
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    save_lexicon(tmp_path / LEXICON, lexicon, corpus.source_vocabulary, corpus.target_vocabulary)
    lines = gzip.decompress((tmp_path / LEXICON).read_bytes()).decode().splitlines()
    assert set(lines) == {
        "\ta\t1\t1",
        "das\tthe\t1\t1",
        "haus\thouse\t1\t1",
        "buch\tbook\t1\t1",
        "ist\t\t1\t1",
    }


def test_a_lexicon_survives_its_file_whatever_the_words_hold(tmp_path: Path) -> None:
    pairs = [
        Aligned(("\t", "\\t", "\\", "a\nb", "</s>", "c"), ("\\\\", "NULL", "é", "\r", " "), links)
        for links in (frozenset({(0, 0), (1, 1), (2, 2)}), frozenset({(0, 1), (3, 3), (4, 4)}))
    ]
    corpus = as_arrays(pairs)
    vocabularies = corpus.source_vocabulary, corpus.target_vocabulary
    lexicon = learn_lexicon(corpus.source, corpus.target, corpus.links)
    save_lexicon(tmp_path / LEXICON, lexicon, *vocabularies)
    loaded = load_lexicon(tmp_path / LEXICON, *vocabularies)
    for before, after in zip(lexicon, loaded, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5)
        assert after.dtype == before.dtype
    first = (tmp_path / LEXICON).read_bytes()
    save_lexicon(tmp_path / LEXICON, lexicon, *vocabularies)
    assert (tmp_path / LEXICON).read_bytes() == first


@pytest.mark.parametrize(
    "line",
    [
        "a\tx\t1",
        "a\tx\t1\t2",
        "a\tx\tnan\t1",
        "a\tx\t0\t1",
        "b\tx\t1\t1",
        "a\ty\t1\t1",
        "\\q\tx\t1\t1",
    ],
)
def test_a_broken_line_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / LEXICON
    path.write_bytes(gzip.compress(f"a\tx\t1\t1\n{line}\n".encode()))
    with pytest.raises(ModelError, match="line 2"):
        load_lexicon(path, learn_vocabulary([["a"]]), learn_vocabulary([["x"]]))


def test_a_file_that_is_missing_emptied_or_cut_is_a_broken_model(tmp_path: Path) -> None:
    vocabulary = learn_vocabulary([["a"]])
    path = tmp_path / LEXICON
    with pytest.raises(ModelError, match="cannot read"):
        load_lexicon(path, vocabulary, vocabulary)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="is empty"):
        load_lexicon(path, vocabulary, vocabulary)
    path.write_bytes(gzip.compress(b"a\ta\t1\t1\n" * 50)[:-9])
    with pytest.raises(ModelError, match="broken gzip"):
        load_lexicon(path, vocabulary, vocabulary)
