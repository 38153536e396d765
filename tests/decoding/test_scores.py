import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from seqcli.decoding.scores import length_norm
from seqcli.decoding.search import attention_rows, longest_output

lengths = st.integers(1, 500)
penalties = st.floats(0, 10)


@given(lengths, penalties)
def test_the_norm_is_that_of_the_paper(length: int, penalty: float) -> None:
    expected = math.exp(penalty * (math.log(5 + length) - math.log(5 + 1)))
    assert math.isclose(length_norm(length, penalty), expected, rel_tol=1e-9)


@given(lengths)
def test_without_a_penalty_a_score_is_the_log_probability(length: int) -> None:
    assert length_norm(length, 0.0) == 1


@given(lengths, penalties)
def test_the_norm_never_falls_with_the_length_on_which_the_bound_of_a_search_rests(
    length: int, penalty: float
) -> None:
    assert length_norm(length + 1, penalty) >= length_norm(length, penalty)


@given(lengths, st.floats(1, 50))
def test_a_longer_source_may_have_a_longer_output(length: int, ratio: float) -> None:
    assert length * ratio < longest_output(length, ratio) < longest_output(length + 1, ratio)
    assert longest_output(length, ratio) <= longest_output(length, ratio + 0.5)


def test_attention_is_cut_to_the_source() -> None:
    assert attention_rows(torch.tensor([[0.25, 0.75, 0.0, 0.0]]), 2) == [[0.25, 0.75]]
    assert attention_rows(torch.empty(3, 0), 2) == [[], [], []]
