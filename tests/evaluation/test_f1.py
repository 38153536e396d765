"""F1 against definitions read word by word: of labels, of tags, of spans."""

import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.evaluation.accuracy import TokenAccuracy
from seqcli.evaluation.f1 import MacroF1, SpanF1, spans_of

TAGS = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=7), min_size=1, max_size=5)


def span_f1(
    hypotheses: Sequence[str], *references: Sequence[str], lowercase: bool = False
) -> float:
    return SpanF1(lowercase=lowercase).compute(hypotheses, references).value


def macro_f1(hypotheses: Sequence[str], *references: Sequence[str]) -> float:
    return MacroF1().compute(hypotheses, references).value


def token_accuracy(hypotheses: Sequence[str], *references: Sequence[str]) -> float:
    return TokenAccuracy().compute(hypotheses, references).value


def spans_by_pattern(tags: Iterable[str]) -> set[tuple[str, int, int]]:
    """Each tag as two letters, and a span as what a regular expression finds in them."""
    text = "".join("O." if tag == "O" else tag.replace("-", "") for tag in tags)
    return {
        (kind, found.start() // 2, found.end() // 2)
        for kind in "XY"
        for found in re.finditer(f"(?:[BI]{kind})(?:I{kind})*", text)
    }


def parts_of_conlleval(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Where a span starts and ends by the two rules of conlleval, one place at a time."""
    found, start = set(), 0
    before = ("O", "")
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        ends = before[0] != "O" and (prefix in "BO" or kind != before[1])
        starts = prefix == "B" or (prefix == "I" and (before[0] == "O" or kind != before[1]))
        if ends:
            found.add((before[1], start, place))
        if starts:
            start = place
        before = (prefix, kind)
    return found


@given(st.lists(TAGS, max_size=9))
def test_spans_are_those_of_conlleval_and_of_a_pattern(tags: list[str]) -> None:
    spans = list(spans_of(tags))
    assert spans == sorted(spans, key=lambda span: span[1])
    assert set(spans) == spans_by_pattern(tags) == parts_of_conlleval(tags)


@given(SENTENCES)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(
    sentences: list[list[tuple[str, str]]],
) -> None:
    given_spans, wanted_spans = (
        {
            (number, *span)
            for number, pairs in enumerate(sentences)
            for span in spans_by_pattern(pair[side] for pair in pairs)
        }
        for side in (0, 1)
    )
    right = len(given_spans & wanted_spans)
    hypotheses, references = (
        [" ".join(pair[side] for pair in pairs) for pairs in sentences] for side in (0, 1)
    )
    if not given_spans and not wanted_spans:
        expected = 100.0
    elif right == 0:
        expected = 0.0
    else:
        precision, recall = right / len(given_spans), right / len(wanted_spans)
        expected = 100 * 2 * precision * recall / (precision + recall)
    assert span_f1(hypotheses, references) == pytest.approx(expected)


def test_tags_without_a_scheme_are_spans_of_one_word() -> None:
    assert span_f1(["NOUN VERB NOUN NOUN"], ["NOUN VERB VERB NOUN"]) == 75


def test_case_of_a_type_and_of_a_scheme_can_be_ignored() -> None:
    assert span_f1(["b-per i-per o"], ["B-PER I-PER O"], lowercase=True) == 100
    assert span_f1(["B-per"], ["B-PER"]) == 0


def test_the_reference_with_most_right_spans_counts() -> None:
    assert span_f1(["B-X O B-Y"], ["B-X O O"], ["B-X O B-Y"]) == 100
    assert span_f1(["B-X O"], ["O B-X"], ["B-X B-X"]) == pytest.approx(200 / 3)


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 2), min_size=1))
def test_macro_f1_is_the_mean_over_labels_of_their_own_f1(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = zip(*pairs, strict=True)
    values = []
    for label in {*hypotheses, *references}:
        right = sum(pair == (label, label) for pair in pairs)
        wrong = sum(label in pair and pair != (label, label) for pair in pairs)
        values.append(2 * right / (2 * right + wrong))
    assert macro_f1(hypotheses, references) == pytest.approx(100 * sum(values) / len(values))


def test_a_rare_label_counts_as_much_as_a_frequent_one() -> None:
    assert macro_f1(["a"] * 9 + ["a"], ["a"] * 9 + ["b"]) == pytest.approx(100 * (18 / 19) / 2)


@given(SENTENCES)
def test_token_accuracy_is_the_share_of_places_with_the_right_tag(
    sentences: list[list[tuple[str, str]]],
) -> None:
    pairs = [pair for sentence in sentences for pair in sentence]
    right = sum(given_tag == wanted for given_tag, wanted in pairs)
    hypotheses, references = (
        [" ".join(pair[side] for pair in sentence) for sentence in sentences] for side in (0, 1)
    )
    expected = 100 * right / len(pairs) if pairs else 100
    assert token_accuracy(hypotheses, references) == pytest.approx(expected)


def test_missing_and_surplus_tags_are_wrong() -> None:
    assert token_accuracy(["A B"], ["A B C D"]) == 50
    assert token_accuracy(["A B C D"], ["A B"]) == 50
    assert token_accuracy(["", "A"], ["A", "A"]) == 50


def test_the_nearest_reference_of_a_line_counts() -> None:
    assert token_accuracy(["A B", "C"], ["A A", "C"], ["A B", ""]) == 100


def test_a_no_break_space_is_part_of_a_tag() -> None:
    assert token_accuracy(["A\u00a0B C"], ["A\u00a0B C"]) == 100
    assert token_accuracy(["A\u00a0B C"], ["A\u00a0B D"]) == 50
