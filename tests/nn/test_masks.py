"""Reversal against plain lists."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from seqcli.nn.masks import reorder_time, reversal_of
from tests.nn.padding import mask_of

lengths = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@given(lengths, st.integers(0, 3))
def test_real_tokens_are_reversed_and_padding_stays(row_lengths: list[int], padding: int) -> None:
    mask_BS = mask_of(row_lengths, padding)
    position_BS = torch.arange(mask_BS.numel()).view(mask_BS.shape)
    reversed_BS1 = reorder_time(position_BS.unsqueeze(2), reversal_of(mask_BS))
    expected = [
        row[:n][::-1] + row[n:] for row, n in zip(position_BS.tolist(), row_lengths, strict=True)
    ]
    assert reversed_BS1.squeeze(2).tolist() == expected


@given(lengths, st.integers(0, 3))
def test_reversing_twice_changes_nothing(row_lengths: list[int], padding: int) -> None:
    mask_BS = mask_of(row_lengths, padding)
    states_BSH = torch.randn(*mask_BS.shape, 2)
    index_BS = reversal_of(mask_BS)
    twice_BSH = reorder_time(reorder_time(states_BSH, index_BS), index_BS)
    assert torch.equal(twice_BSH, states_BSH)
