"""What holds for each aligner of the table."""

import logging

import numpy as np
import pytest

from seqcli.errors import ConfigError, DataError
from seqcli.smt.alignment import ALIGNERS, align
from seqcli.smt.corpus import Sentences, encode_sentences, learn_vocabulary
from seqcli.smt.links import make_links
from seqcli.smt.symmetrization import SYMMETRIZATIONS
from tests.smt.parallel_texts import random_text

TEXT = random_text(np.random.default_rng(1), num_pairs=100, num_words=20)


def encode(*lines: str) -> Sentences:
    words = [line.split() for line in lines]
    return encode_sentences(words, learn_vocabulary(words))


@pytest.mark.parametrize("model", ALIGNERS)
def test_each_model_finds_most_links_that_made_a_text(model: str) -> None:
    source, target, origins = TEXT
    right = {(n, i, j) for n, made in enumerate(origins) for j, i in enumerate(made)}
    links = align(source, target, model=model, symmetrization="intersection")
    found = {(n, i, j) for n in range(len(origins)) for i, j in links.of_pair(n)}
    assert len(found & right) > 0.7 * len(right)
    assert len(found & right) > 0.85 * len(found)


@pytest.mark.parametrize("model", ["eflomal", "ibm1"])  # the library adds in changing order
def test_our_own_models_find_the_same_links_again(model: str) -> None:
    source, target, _ = TEXT
    links = align(source, target, model=model, symmetrization="intersection")
    again = align(source, target, model=model, symmetrization="intersection", threads=2)
    assert all(np.array_equal(*arrays) for arrays in zip(links, again, strict=True))


def test_the_exact_ibm1_agrees_with_that_of_thot() -> None:
    source, target, _ = TEXT
    ours, theirs = (align(source, target, model=model) for model in ("ibm1", "thot-ibm1"))
    same = [set(ours.of_pair(n)) == set(theirs.of_pair(n)) for n in range(ours.num_pairs)]
    assert np.mean(same) > 0.9  # theirs breaks ties in its own way and stops at a smallest value


@pytest.mark.parametrize("model", ["eflomal", "ibm1", "hmm"])
def test_pairs_that_cannot_be_aligned_have_no_links_and_change_no_others(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["a b", "b c", "c a", "a b c"] * 5
    longest = ALIGNERS[model].longest
    strange = [("", "x y"), ("x", ""), ("", ""), ("a " * (longest + 1), "a"), ("b", "  ")]
    with caplog.at_level(logging.WARNING):
        alone = align(encode(*lines), encode(*lines), model=model)
    assert not caplog.records
    source = encode(strange[0][0], *lines, *(pair[0] for pair in strange[1:]))
    target = encode(strange[0][1], *lines, *(pair[1] for pair in strange[1:]))
    links = align(source, target, model=model)
    assert [bool(links.of_pair(n)) for n in range(25)] == [False, *[True] * 20, *[False] * 4]
    assert caplog.messages == [f"pairs left without links, over {longest} words: 1"]
    assert alone.num_pairs == 20


def test_text_without_a_pair_has_no_links() -> None:
    links = align(encode("a", ""), encode("", "b"))
    assert [links.of_pair(n) for n in range(links.num_pairs)] == [[], []]
    assert align(encode(), encode()).num_pairs == 0


def test_all_symmetrizations_hold_the_intersection_and_stay_in_the_union() -> None:
    source, target, _ = TEXT
    all_links = [align(source, target, symmetrization=name) for name in SYMMETRIZATIONS]
    for number in range(source.num_sentences):
        intersection, union, between = (set(links.of_pair(number)) for links in all_links)
        assert intersection <= between <= union


def test_unknown_names_and_sides_of_different_number_are_refused() -> None:
    one, two = encode("a"), encode("a", "b")
    with pytest.raises(
        ConfigError, match=r"alignment.model cannot be 'eflomel'.*'eflomal'"
    ) as fault:
        align(one, one, model="eflomel")
    assert "ibm4" in fault.value.fix
    with pytest.raises(ConfigError, match="cannot be 'grow'"):
        align(one, one, symmetrization="grow")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1 source but 2 target"):
        align(one, two)


def test_links_are_made_with_the_types_that_others_read() -> None:
    text = encode(*["a b", "b c", "c a"] * 5)
    links, expected = align(text, text), make_links([[(0, 0), (1, 1)]] * 15)
    assert [array.dtype for array in links] == [array.dtype for array in expected]
    assert all(np.array_equal(*arrays) for arrays in zip(links, expected, strict=True))
