from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.evaluation.error_rate import PhoneErrorRate, WordErrorRate, levenshtein

SYMBOLS = st.lists(st.sampled_from(["AH0", "B", "K"]), max_size=6)
PHONES = SYMBOLS.map(" ".join)


@cache
def by_recursion(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """The definition: the cheapest of all ways to begin."""
    if not first or not second:
        return len(first) + len(second)
    return min(
        by_recursion(first[1:], second) + 1,
        by_recursion(first, second[1:]) + 1,
        by_recursion(first[1:], second[1:]) + (first[0] != second[0]),
    )


def per(hypotheses: Sequence[str], *references: Sequence[str]) -> float:
    return PhoneErrorRate().compute(hypotheses, references).value


def wer(hypotheses: Sequence[str], *references: Sequence[str]) -> float:
    return WordErrorRate().compute(hypotheses, references).value


@given(SYMBOLS, SYMBOLS)
def test_the_distance_is_that_of_the_recursive_definition(
    first: list[str], second: list[str]
) -> None:
    assert levenshtein(first, second) == by_recursion(tuple(first), tuple(second))


@given(SYMBOLS, SYMBOLS, SYMBOLS)
def test_the_distance_is_a_metric(first: list[str], second: list[str], third: list[str]) -> None:
    assert levenshtein(first, second) == levenshtein(second, first)
    assert (levenshtein(first, second) == 0) == (first == second)
    assert levenshtein(first, third) <= levenshtein(first, second) + levenshtein(second, third)


@given(st.lists(st.tuples(PHONES, PHONES), min_size=1))
def test_per_is_all_edits_by_all_reference_symbols(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = zip(*pairs, strict=True)
    edits = sum(by_recursion(tuple(h.split()), tuple(r.split())) for h, r in pairs)
    symbols = sum(len(reference.split()) for reference in references)
    if symbols:
        assert per(hypotheses, references) == pytest.approx(float(Fraction(100 * edits, symbols)))
    else:
        assert per(hypotheses, references) == (100 if edits else 0)


@given(st.lists(st.tuples(PHONES, PHONES, PHONES.filter(bool)), min_size=1))
def test_wer_is_zero_where_per_is_and_a_further_reference_never_raises_it(
    lines: list[tuple[str, str, str]],
) -> None:
    hypotheses, first, second = zip(*lines, strict=True)
    assert (wer(hypotheses, first, second) == 0) == (per(hypotheses, first, second) == 0)
    assert wer(hypotheses, first, second) <= wer(hypotheses, first)
    wrong = sum(line[0] not in line[1:] for line in lines)
    assert wer(hypotheses, first, second) == pytest.approx(100 * wrong / len(lines))


def test_the_reference_with_the_fewest_edits_counts_with_its_own_length() -> None:
    assert per(["K AH0 T"], ["K AE1 T S"], ["K AH1 T"]) == pytest.approx(100 / 3)


def test_the_order_of_references_makes_no_difference_even_where_they_are_as_near() -> None:
    references = [["K AH0 T S"], ["K AH0"], ["B AH0 T"]]
    assert {per(["K AH0 T"], *order) for order in permutations(references)} == {25}


def test_an_empty_line_of_a_further_reference_is_no_answer() -> None:
    assert per(["", "K"], ["K", "K"], ["", ""]) == 50
    assert wer(["", "K"], ["K", "K"], ["", ""]) == 50


def test_white_space_parts_symbols_and_is_none() -> None:
    assert per([" K  AH0\tT "], ["K AH0 T"]) == 0
    assert wer([" K  AH0\tT "], ["K AH0 T"]) == 0
    assert wer(["K AH0T"], ["K AH0 T"]) == 100


def test_case_counts_unless_it_is_asked_not_to() -> None:
    assert per(["k t"], ["K T"]) == 100
    assert PhoneErrorRate(lowercase=True).compute(["k t"], [["K T"]]).value == 0
    assert WordErrorRate(lowercase=True).compute(["k t"], [["K T"]]).value == 0


def test_the_signatures_tell_the_unit() -> None:
    assert PhoneErrorRate().compute(["K"], [["K"]]).signature == "nrefs:1|case:mixed|unit:symbol"
    assert WordErrorRate().compute(["K"], [["K"]]).signature == "nrefs:1|case:mixed|unit:line"
