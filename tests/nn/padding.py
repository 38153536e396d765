"""Masks of padded batches, as the tests need them."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mask_of(lengths: Sequence[int], padding: int = 0) -> Tensor:
    """Return mask_BS, True on the first positions of each row, with padding after the longest."""
    longest = max(lengths) + padding
    return torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)
