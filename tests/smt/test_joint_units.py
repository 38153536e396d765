"""Units of target words and their origin, against a search over all ways to cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.joint_units import JointUnits, join_units, words_of
from seqcli.smt.links import make_links

Pair = tuple[str, str, list[tuple[int, int]]]  # a sign is a word


def joined(pairs: list[Pair]) -> JointUnits:
    sides = [list(map(list, side)) for side in list(zip(*pairs, strict=True))[:2]]
    vocabularies = list(map(learn_vocabulary, sides))
    source, target = map(encode_sentences, sides, vocabularies)
    return join_units(source, target, make_links(links for _, _, links in pairs), *vocabularies)


def texts(units: JointUnits) -> list[list[tuple[str, str]]]:
    """Source and target of each unit of each sentence."""
    ids, starts = units.sentences
    found = [tuple(piece.split("  ")) for piece in units.vocabulary.pieces_of(ids.tolist())]
    return [
        [(source.replace(" ", ""), target.replace(" ", "")) for target, source in found[i:j]]
        for i, j in pairwise(starts)
    ]


def cut_by_hand(pair: Pair) -> list[tuple[str, str]]:
    """Cut wherever no link crosses; each target word goes to its linked unit or to a neighbour."""
    source, target, links = pair
    bounds = [0]
    for cut in range(1, len(source)):
        left = [j for i, j in links if i < cut]
        right = [j for i, j in links if i >= cut]
        if not left or not right or max(left) < min(right):
            bounds.append(cut)
    bounds.append(len(source))
    spans = list(pairwise(bounds))
    reach = {
        unit: min(j for i, j in links if begin <= i < end)
        for unit, (begin, end) in enumerate(spans)
        if any(begin <= i < end for i, _ in links)
    }
    owners = []
    for place in range(len(target)):
        before = [unit for unit, low in reach.items() if low <= place]
        owners.append(max(before) if before else min(reach, default=len(spans) - 1))
    return [
        (source[begin:end], "".join(w for w, u in zip(target, owners, strict=True) if u == unit))
        for unit, (begin, end) in enumerate(spans)
    ]


@st.composite
def aligned(draw: st.DrawFn) -> Pair:
    source = draw(st.text("abc", min_size=1, max_size=5))
    target = draw(st.text("ABC", min_size=1, max_size=5))
    link = st.tuples(st.integers(0, len(source) - 1), st.integers(0, len(target) - 1))
    return source, target, draw(st.lists(link, max_size=6))


@given(st.lists(aligned(), min_size=1, max_size=4))
def test_units_are_those_cut_by_hand(pairs: list[Pair]) -> None:
    assert texts(joined(pairs)) == list(map(cut_by_hand, pairs))


@given(st.lists(aligned(), min_size=1, max_size=4))
def test_each_source_word_is_linked_to_its_unit(pairs: list[Pair]) -> None:
    units = joined(pairs)
    for number, sentence in enumerate(texts(units)):
        owners = [unit for unit, (source, _) in enumerate(sentence) for _ in source]
        assert units.links.of_pair(number) == list(enumerate(owners))


def test_a_silent_letter_is_a_unit_without_a_sound() -> None:
    units = joined([("phone", "FOn", [(0, 0), (1, 0), (2, 1), (3, 2)])])
    assert texts(units) == [[("ph", "F"), ("o", "O"), ("n", "n"), ("e", "")]]


@given(st.lists(aligned(), min_size=1, max_size=4))
def test_the_words_of_the_units_are_the_target(pairs: list[Pair]) -> None:
    units = joined(pairs)
    pieces = units.vocabulary.pieces_of(units.sentences.ids.tolist())
    assert "".join(words_of(pieces)) == "".join(target for _, target, _ in pairs)


def test_words_that_are_no_units_stay_as_they_are() -> None:
    assert words_of(["a", "<unk>", "b  x y", "  z"]) == ("a", "<unk>", "b")


def test_a_unit_with_an_unknown_word_is_unknown() -> None:
    sides = [["a", "b"]], [["A", "</s>"]]
    vocabularies = list(map(learn_vocabulary, sides))
    source, target = map(encode_sentences, sides, vocabularies)
    units = join_units(source, target, make_links([[(0, 0), (1, 1)]]), *vocabularies)
    assert units.vocabulary.pieces_of(units.sentences.ids.tolist()) == ["A  a", "<unk>"]


def test_an_alignment_of_other_sentences_is_refused() -> None:
    with pytest.raises(DataError, match="leads out of the sentence"):
        joined([("a", "A", [(0, 1)])])
