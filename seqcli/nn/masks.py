"""Reversal of each sentence of a padded batch inside its own length."""

import torch
from torch import Tensor


def reversal_of(mask_BS: Tensor) -> Tensor:
    """Return index_BS that reverses the real tokens of each row and leaves its padding in place.

    The reversal is its own inverse, so that the same index brings reversed states back.
    """
    position_S = torch.arange(mask_BS.shape[1], device=mask_BS.device)
    length_B1 = mask_BS.sum(1, keepdim=True)
    return torch.where(mask_BS, length_B1 - 1 - position_S, position_S)


def reorder_time(states_BSH: Tensor, index_BS: Tensor) -> Tensor:
    """Read the time axis of each row in the order of `index_BS`."""
    return states_BSH.gather(1, index_BS.unsqueeze(2).expand(-1, -1, states_BSH.shape[2]))
