"""Padded tensors against plain lists."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqcli.data.batch import (
    LabelledBatch,
    PairBatch,
    TextBatch,
    at_places,
    labelled_batch,
    pad_rows,
    pair_batch,
    source_tensors,
    text_batch,
)
from seqcli.data.dataset import Example
from seqcli.tokenizers.vocabulary import BOS, EOS, PAD, UNK

ids = st.lists(st.integers(UNK, 30_000), min_size=1, max_size=8)
some_examples = st.lists(st.builds(Example, ids, ids), min_size=1, max_size=5)


@given(some_examples)
def test_rows_are_marked_shifted_padded_and_in_order(examples: list[Example]) -> None:
    batch = pair_batch(examples)
    longest_source = max(len(source) for source, _ in examples) + 1
    longest_target = max(len(target) for _, target in examples) + 1
    for row, (source, target) in enumerate(examples):
        source_padding = longest_source - len(source) - 1
        target_padding = longest_target - len(target) - 1
        padding = [PAD] * target_padding
        assert batch.source_BS[row].tolist() == [*source, EOS] + [PAD] * source_padding
        assert batch.target_input_BT[row].tolist() == [BOS, *target, *padding]
        assert batch.target_output_BT[row].tolist() == [*target, EOS, *padding]
        real = [True] * (len(source) + 1) + [False] * source_padding
        assert batch.source_mask_BS[row].tolist() == real
        real = [True] * (len(target) + 1) + [False] * target_padding
        assert batch.target_mask_BT[row].tolist() == real
    assert batch.source_BS.shape == (len(examples), longest_source)
    assert batch.target_mask_BT.shape == (len(examples), longest_target)


@given(some_examples)
def test_each_input_but_the_first_is_the_output_before(examples: list[Example]) -> None:
    batch = pair_batch(examples)
    following_BT = batch.target_input_BT[:, 1:]
    real_BT = batch.target_mask_BT[:, 1:]
    assert torch.equal(following_BT[real_BT], batch.target_output_BT[:, :-1][real_BT])


def test_sources_alone_are_padded_as_in_a_batch() -> None:
    examples = [Example([7, 8, 9], [5]), Example([6], [5, 5])]
    batch = pair_batch(examples)
    source_BS, mask_BS = source_tensors([example.source for example in examples])
    assert torch.equal(source_BS, batch.source_BS)
    assert torch.equal(mask_BS, batch.source_mask_BS)


def test_an_empty_source_is_its_end_mark() -> None:
    source_BS, mask_BS = source_tensors([[], [5]])
    assert source_BS.tolist() == [[EOS, PAD], [5, EOS]]
    assert mask_BS.tolist() == [[True, False], [True, True]]


def test_ids_are_int64() -> None:
    assert pad_rows([[1], [2, 3]]).dtype == torch.int64


def test_moving_a_batch_moves_every_tensor() -> None:
    batch = pair_batch([Example([5], [6])]).to(torch.device("meta"))
    assert {tensor.device.type for tensor in batch} == {"meta"}


@pytest.mark.parametrize("kind", ["pairs", "text", "label of each", "labels of tokens"])
def test_places_pick_what_the_mask_does(kind: str) -> None:
    if kind in ("pairs", "text"):
        examples = [Example([5, 6], [7, 8, 9]), Example([5, 6, 7, 8], [6]), Example([9], [])]
        batch: PairBatch | TextBatch | LabelledBatch
        batch = pair_batch(examples) if kind == "pairs" else text_batch(examples)
        targets_BT, mask_BT = batch[-3:-1]
    else:
        per_token = kind == "labels of tokens"
        examples = [Example([5, 6, 7], [PAD, 8, 9] if per_token else [8]), Example([5], [6])]
        batch = labelled_batch(examples, per_token=per_token)
        targets_BT, mask_BT = batch.labels_BL, batch.labels_BL != PAD
    assert batch.num_targets == mask_BT.sum()
    states_BTE = torch.randn(*targets_BT.shape, 3)
    assert torch.equal(at_places(targets_BT, batch.places_N), targets_BT[mask_BT])
    assert torch.equal(at_places(states_BTE, batch.places_N), states_BTE[mask_BT])
