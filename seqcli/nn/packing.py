"""Batches in the order of the steps that read them, so that a loop can pass over padding."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

FEW_ROWS = 16  # a step has a multiple of it, or all rows: oneDNN compiles code for each other size


class Packing(ABC):
    """A batch as a row for each of its N tokens: those of the first step, then of the second.

    `sizes` are the numbers of tokens of each step. The rows of a step are the first ones of the
    step before, in an order that `arrange` gives; the last ones may be padding, of finite numbers.
    """

    sizes: list[int]

    @abstractmethod
    def pack(self, states_BSH: Tensor) -> Tensor:
        """Return states_NH."""

    @abstractmethod
    def unpack(self, states_NH: Tensor) -> Tensor:
        """Return states_BSH, zero at padding."""

    @abstractmethod
    def arrange(self, states_BH: Tensor) -> Tensor:
        """Bring the rows of a batch into the order of those of a step."""

    @abstractmethod
    def last(self, states_NH: Tensor) -> Tensor:
        """Return states_BH of the last token of each row, in the order of the batch."""


class WholePacking(Packing):
    """All tokens, padding too."""

    def __init__(self, batch_size: int, num_steps: int) -> None:
        self.sizes = [batch_size] * num_steps

    def pack(self, states_BSH: Tensor) -> Tensor:
        return states_BSH.transpose(0, 1).flatten(0, 1)

    def unpack(self, states_NH: Tensor) -> Tensor:
        states_SBH = states_NH.view(len(self.sizes), -1, states_NH.shape[1])
        return states_SBH.transpose(0, 1).contiguous()

    def arrange(self, states_BH: Tensor) -> Tensor:
        return states_BH

    def last(self, states_NH: Tensor) -> Tensor:
        return states_NH[-self.sizes[-1] :]


class RealPacking(Packing):
    """The real tokens, which come first in each row, and of padding a little.

    The longest row is first in each step.
    """

    def __init__(self, mask_BS: Tensor) -> None:
        self._shape = mask_BS.shape
        lengths_B = mask_BS.sum(1)
        self._rows_B = lengths_B.argsort(descending=True, stable=True)
        real_S = mask_BS.sum(0)
        sizes_S = (-(-real_S // FEW_ROWS) * FEW_ROWS).clamp(max=len(mask_BS))
        self.sizes = [size for size in sizes_S.tolist() if size]
        row_B = torch.arange(len(mask_BS), device=mask_BS.device)
        is_read_SB = row_B < sizes_S.unsqueeze(1)
        step_S1 = torch.arange(mask_BS.shape[1], device=mask_BS.device).unsqueeze(1)
        places_SB = self._rows_B * mask_BS.shape[1] + step_S1
        self._places_N = places_SB[is_read_SB]
        is_real_SB = row_B < real_S.unsqueeze(1)
        beyond = mask_BS.numel()  # where states of padding are laid down, to be left there
        self._kept_N = torch.where(is_real_SB, places_SB, beyond)[is_read_SB]
        before_S = sizes_S.cumsum(0) - sizes_S
        last_B = before_S[lengths_B - 1] + self._rows_B.argsort()
        self._last_B = last_B.clamp(max=len(self._places_N) - 1)  # an empty row has no last token

    def pack(self, states_BSH: Tensor) -> Tensor:
        return states_BSH.flatten(0, 1).index_select(0, self._places_N)

    def unpack(self, states_NH: Tensor) -> Tensor:
        zero_XH = states_NH.new_zeros(self._shape.numel() + 1, states_NH.shape[1])
        return zero_XH.index_copy_(0, self._kept_N, states_NH)[:-1].view(*self._shape, -1)

    def arrange(self, states_BH: Tensor) -> Tensor:
        return states_BH.index_select(0, self._rows_B)

    def last(self, states_NH: Tensor) -> Tensor:
        return states_NH.index_select(0, self._last_B)


def packing_of(mask_BS: Tensor) -> Packing:
    """Return the order of the steps that read what the mask tells to be real.

    On CUDA this waits for the device, to learn the sizes.
    """
    return WholePacking(*mask_BS.shape) if mask_BS.all() else RealPacking(mask_BS)
