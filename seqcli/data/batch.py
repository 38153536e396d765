"""Padded tensors of one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqcli.data.dataset import Example
from seqcli.tokenizers.vocabulary import BOS, EOS, PAD


class Batch(NamedTuple):
    """Token ids; masks are True on real tokens."""

    source_BS: Tensor  # ends in EOS
    source_mask_BS: Tensor
    target_input_BT: Tensor  # starts with BOS
    target_output_BT: Tensor  # the same shifted by one, ends in EOS
    target_mask_BT: Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


def pad_rows(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the rows as one tensor of int64, padded with PAD on the right."""
    padded = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for padded_row, row in zip(padded, rows, strict=True):
        padded_row[: len(row)] = row
    return torch.from_numpy(padded)


def source_tensors(sources: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return source_BS, each row closed with EOS, and its mask."""
    source_BS = pad_rows([[*source, EOS] for source in sources])
    return source_BS, source_BS != PAD


def make_batch(examples: Sequence[Example]) -> Batch:
    """Pad the examples into one batch, the order of rows kept."""
    target_output_BT = pad_rows([[*example.target, EOS] for example in examples])
    return Batch(
        *source_tensors([example.source for example in examples]),
        target_input_BT=pad_rows([[BOS, *example.target] for example in examples]),
        target_output_BT=target_output_BT,
        target_mask_BT=target_output_BT != PAD,
    )
