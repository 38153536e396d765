from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.evaluation.accuracy import Accuracy

LINES = st.lists(st.tuples(*[st.text("aB ", max_size=2)] * 3), min_size=1)


def accuracy(
    hypotheses: Sequence[str], *references: Sequence[str], lowercase: bool = False
) -> float:
    return Accuracy(lowercase=lowercase).compute(hypotheses, references).value


@given(LINES)
def test_accuracy_is_the_share_of_lines_that_are_in_the_set_of_their_answers(
    lines: list[tuple[str, str, str]],
) -> None:
    right = 0
    for hypothesis, first, second in lines:
        answers = {first.strip(" ")} | ({second.strip(" ")} if second else set())
        right += hypothesis.strip(" ") in answers
    hypotheses, first_list, second_list = zip(*lines, strict=True)
    assert accuracy(hypotheses, first_list, second_list) == pytest.approx(100 * right / len(lines))


def test_an_empty_line_is_right_where_the_first_reference_is_empty_only() -> None:
    assert accuracy(["", ""], ["", "a"], ["b", ""]) == 50


def test_case_counts_unless_it_is_asked_not_to() -> None:
    assert accuracy(["Straße A"], ["STRASSE a"], ["straße a"]) == 0
    assert accuracy(["Straße A"], ["STRASSE a"], ["straße a"], lowercase=True) == 100


def test_the_signature_tells_case_and_references() -> None:
    score = Accuracy(lowercase=True).compute(["a"], [["a"], ["b"]])
    assert score.signature == "nrefs:2|case:lc|unit:line"
