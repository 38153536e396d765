"""Dropout for recurrent networks: one mask for a whole sentence, and whole words left out."""

import torch
from torch import Tensor, nn


class VariationalDropout(nn.Module):
    """Drop the same units at every time step (Gal and Ghahramani, 2016).

    A new mask for each call and each row of the batch; in evaluation nothing is dropped.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, states_BSH: Tensor) -> Tensor:
        mask_BH = self.mask_for(states_BSH[:, 0])
        return states_BSH if mask_BH is None else states_BSH * mask_BH.unsqueeze(1)

    def mask_for(self, states_BH: Tensor) -> Tensor | None:
        """Return a new mask_BH to multiply with at each step, or None where nothing is dropped."""
        if not self.training or self.probability == 0:
            return None
        return nn.functional.dropout(torch.ones_like(states_BH), self.probability)


def with_mask(states_BH: Tensor, mask_BH: Tensor | None) -> Tensor:
    """Apply a mask of `VariationalDropout.mask_for`, if there is one."""
    return states_BH if mask_BH is None else states_BH * mask_BH


def drop_words(tokens_BS: Tensor, probability: float, *, replacement: int, first: int) -> Tensor:
    """Replace random tokens by `replacement`; ids below `first` (the special ones) stay.

    Word dropout as in Sennrich and Zhang (2019), with the unknown token in place of a zero vector,
    so that its embedding is trained as well.
    """
    if probability == 0:
        return tokens_BS
    dropped_BS = torch.rand(tokens_BS.shape, device=tokens_BS.device) < probability
    return tokens_BS.masked_fill(dropped_BS & (tokens_BS >= first), replacement)
