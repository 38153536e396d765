"""The real tokens of a padded batch: in reverse, and the last of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from seqcli.nn.packing import Packing, packing_of


@dataclass(frozen=True)
class Reading:
    """What layers must know to read a batch of padded sentences."""

    mask_BS: Tensor  # True on real tokens, which come first
    with_state: bool = False  # whether the state after each sentence's last token is asked for

    @cached_property
    def reversal_BS(self) -> Tensor:  # noqa: N802  # a tensor's name ends in its axes
        """The index that reverses each sentence; computed once for all layers."""
        return reversal_of(self.mask_BS)

    @cached_property
    def packing(self) -> Packing:
        """The order of steps of layers that pass over padding; made once for all layers."""
        return packing_of(self.mask_BS)


def reversal_of(mask_BS: Tensor) -> Tensor:
    """Return index_BS that reverses the real tokens of each row and leaves its padding in place.

    The reversal is its own inverse, so that the same index brings reversed states back.
    """
    position_S = torch.arange(mask_BS.shape[1], device=mask_BS.device)
    length_B1 = mask_BS.sum(1, keepdim=True)
    return torch.where(mask_BS, length_B1 - 1 - position_S, position_S)


class _Reversal(torch.autograd.Function):
    """Its own inverse, so that the gradient is gathered as the states are, not scattered."""

    @staticmethod
    def forward(ctx: Any, states_BSH: Tensor, reversal_BS: Tensor) -> Tensor:
        ctx.save_for_backward(reversal_BS)
        return _reorder(states_BSH, reversal_BS)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        return _reorder(outer[0], ctx.saved_tensors[0]), None


def _reorder(states_BSH: Tensor, index_BS: Tensor) -> Tensor:
    batch_size, length, _ = states_BSH.shape
    starts_B1 = torch.arange(batch_size, device=index_BS.device).unsqueeze(1) * length
    rows_N = (index_BS + starts_B1).flatten()
    return states_BSH.flatten(0, 1).index_select(0, rows_N).view_as(states_BSH)


def reverse_time(states_BSH: Tensor, reversal_BS: Tensor) -> Tensor:
    """Reverse each row inside its length, by the index that `reversal_of` gives."""
    # torch declares `apply` without types
    reversed_BSH: Tensor = _Reversal.apply(states_BSH, reversal_BS)  # type: ignore[no-untyped-call]
    return reversed_BSH


def last_of(states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
    """Return the states_BH of the last real token of each row; none may be empty."""
    last_B = mask_BS.sum(1) - 1
    return states_BSH[torch.arange(len(last_B), device=last_B.device), last_B]
