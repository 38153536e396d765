import pytest

from seqcli.errors import DataError
from seqcli.evaluation.base import (
    reference_signature,
    references_of_each_line,
    require_aligned,
)


def test_an_empty_line_of_a_further_reference_means_no_further_answer() -> None:
    references = [["a", ""], ["b", ""], ["", "c"]]
    assert list(references_of_each_line(references)) == [("a", "b"), ("", "c")]


@pytest.mark.parametrize(
    ("references", "number"),
    [
        ([["a", "b"]], "1"),
        ([["a", "b"], ["c", "d"]], "2"),
        ([["a", "b"], ["c", ""]], "var"),
        ([["a", "b"], ["", ""]], "1"),
    ],
)
def test_the_signature_counts_the_answers_of_a_line(
    references: list[list[str]], number: str
) -> None:
    signature = reference_signature(references, lowercase=False, unit="line")
    assert signature == f"nrefs:{number}|case:mixed|unit:line"


def test_lists_of_different_length_are_refused_by_name_and_count() -> None:
    with pytest.raises(DataError) as caught:
        require_aligned(["a", "b"], [["a", "b"], ["a"]], ["out.txt", "one.txt", "two.txt"])
    assert caught.value.what == "out.txt has 2 lines but two.txt has 1"
    assert caught.value.why
    assert caught.value.fix


def test_lists_without_a_name_are_called_by_what_they_are() -> None:
    with pytest.raises(DataError, match=r"^the list of hypotheses has 1 .* reference list 2 has 2"):
        require_aligned(["a"], [["a"], ["a", "b"]])


def test_a_list_without_lines_is_refused() -> None:
    with pytest.raises(DataError, match=r"^out\.txt has no lines$"):
        require_aligned([], [[]], ["out.txt", "one.txt"])
    with pytest.raises(DataError, match=r"^one\.txt has no lines$"):
        require_aligned(["a"], [[]], ["out.txt", "one.txt"])


def test_no_reference_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no reference"):
        require_aligned(["a"], [])
