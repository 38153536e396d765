"""Symmetrisation against the pseudo-code of the book, word for word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.corpus import Sentences
from seqcli.smt.links import NULL, DirectedLinks
from seqcli.smt.symmetrization import SYMMETRIZATIONS, Symmetrization, symmetrize

Points = set[tuple[int, int]]
NEIGHBORING = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def grow_diag_final_and(e2f: Points, f2e: Points, en: int, fn: int) -> Points:
    """Koehn (2010), figure 4.14; points are (f, e), and `final` wants both words unaligned."""
    alignment = e2f & f2e
    union = e2f | f2e

    def e_aligned(e: int) -> bool:
        return any(point[1] == e for point in alignment)

    def f_aligned(f: int) -> bool:
        return any(point[0] == f for point in alignment)

    while True:
        before = len(alignment)
        for e in range(en):
            for f in range(fn):
                if (f, e) in alignment:
                    for step in NEIGHBORING:
                        new = (f + step[0], e + step[1])
                        if not (f_aligned(new[0]) and e_aligned(new[1])) and new in union:
                            alignment.add(new)
        if len(alignment) == before:
            break
    for direction in (e2f, f2e):
        for e in range(en):
            for f in range(fn):
                if not e_aligned(e) and not f_aligned(f) and (f, e) in direction:
                    alignment.add((f, e))
    return alignment


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Both directions of one pair of sentences: `to_source` and `to_target`."""
    num_sources, num_targets = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    sources = st.integers(NULL, num_sources - 1)
    targets = st.integers(NULL, num_targets - 1)
    return (
        draw(st.lists(sources, min_size=num_targets, max_size=num_targets)),
        draw(st.lists(targets, min_size=num_sources, max_size=num_sources)),
    )


def symmetrized(
    corpus: list[tuple[list[int], list[int]]], symmetrization: Symmetrization
) -> list[list[tuple[int, int]]]:
    flat = [np.array([i for pair in corpus for i in pair[side]], dtype=np.int32) for side in (0, 1)]
    starts = [np.cumsum([0, *(len(pair[side]) for pair in corpus)]) for side in (0, 1)]
    target, source = (Sentences(flat[side], starts[side]) for side in (0, 1))
    links = symmetrize(DirectedLinks(*flat), source, target, symmetrization)
    return [links.of_pair(number) for number in range(len(corpus))]


@settings(deadline=None)  # the first example compiles
@given(st.lists(pairs(), max_size=4))
@pytest.mark.parametrize("symmetrization", SYMMETRIZATIONS)
def test_each_symmetrization_is_that_of_the_book(
    symmetrization: Symmetrization, corpus: list[tuple[list[int], list[int]]]
) -> None:
    expected = []
    for to_source, to_target in corpus:
        e2f = {(f, e) for e, f in enumerate(to_source) if f != NULL}
        f2e = {(f, e) for f, e in enumerate(to_target) if e != NULL}
        by_name = {
            "intersection": e2f & f2e,
            "union": e2f | f2e,
            "grow-diag-final-and": grow_diag_final_and(e2f, f2e, len(to_source), len(to_target)),
        }
        expected.append(sorted(by_name[symmetrization]))
    assert symmetrized(corpus, symmetrization) == expected
