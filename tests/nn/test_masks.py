"""Reversal and last states against plain lists."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.nn.masks import Reading, last_of, reversal_of, reverse_time
from tests.nn.padding import mask_of

lengths = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@settings(max_examples=40)
@given(lengths, st.integers(0, 3))
def test_real_tokens_are_reversed_and_padding_stays(row_lengths: list[int], padding: int) -> None:
    mask_BS = mask_of(row_lengths, padding)
    position_BS = torch.arange(mask_BS.numel()).view(mask_BS.shape)
    reversed_BS1 = reverse_time(position_BS.unsqueeze(2), reversal_of(mask_BS))
    expected = [
        row[:n][::-1] + row[n:] for row, n in zip(position_BS.tolist(), row_lengths, strict=True)
    ]
    assert reversed_BS1.squeeze(2).tolist() == expected


@settings(max_examples=40)
@given(lengths, st.integers(0, 3))
def test_reversing_twice_changes_nothing(row_lengths: list[int], padding: int) -> None:
    mask_BS = mask_of(row_lengths, padding)
    states_BSH = torch.randn(*mask_BS.shape, 2)
    index_BS = Reading(mask_BS).reversal_BS
    twice_BSH = reverse_time(reverse_time(states_BSH, index_BS), index_BS)
    assert torch.equal(twice_BSH, states_BSH)


def test_the_gradient_of_a_reversal_is_that_by_differences() -> None:
    states_BSH = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(reverse_time, (states_BSH, reversal_of(mask_of([5, 1, 3]))))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 3))
def test_the_last_real_state_of_each_row_is_found(row_lengths: list[int], padding: int) -> None:
    mask_BS = mask_of(row_lengths, padding)
    states_BSH = torch.randn(*mask_BS.shape, 2)
    expected = [states_BSH[row, n - 1] for row, n in enumerate(row_lengths)]
    assert torch.equal(last_of(states_BSH, mask_BS), torch.stack(expected))
