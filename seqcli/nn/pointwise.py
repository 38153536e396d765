"""The part of an LSTM step after its products, as two operations with their own gradients.

They save a dozen small operations a step, and all that autograd would remember of them. tanh(x) is
computed as 2 sigmoid(2x) - 1, because torch's sigmoid is several times faster on a CPU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
        size = cell_BH.shape[1]
        wide = torch.promote_types(cell_BH.dtype, torch.float32)
        gates_BG = sums_BG.to(wide, copy=True)
        candidate_BH = gates_BG[:, 2 * size : 3 * size]
        candidate_BH.mul_(2)
        gates_BG.sigmoid_()
        candidate_BH.mul_(2).sub_(1)
        input_BH, forget_BH, _, output_BH = gates_BG.chunk(4, dim=1)
        new_cell_BH = torch.addcmul(forget_BH * cell_BH, input_BH, candidate_BH)
        ctx.save_for_backward(gates_BG, cell_BH)
        ctx.dtypes = sums_BG.dtype, cell_BH.dtype
        return output_BH.clone(), new_cell_BH

    @staticmethod
    @once_differentiable  # its operations are in place
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor]:
        output_gradient_BH, cell_gradient_BH = outer
        gates_BG, cell_BH = ctx.saved_tensors
        size = cell_BH.shape[1]
        input_BH, forget_BH, candidate_BH, _ = gates_BG.chunk(4, dim=1)
        # of sigmoid: s (1 - s); of tanh, whose outputs stand in the third quarter: 1 - t t
        slopes_BG = torch.addcmul(gates_BG, gates_BG, gates_BG, value=-1)
        slopes_BG[:, 2 * size : 3 * size] += 1 - candidate_BH
        input_slope, forget_slope, candidate_slope, output_slope = slopes_BG.chunk(4, dim=1)
        input_slope.mul_(cell_gradient_BH).mul_(candidate_BH)
        forget_slope.mul_(cell_gradient_BH).mul_(cell_BH)
        candidate_slope.mul_(cell_gradient_BH).mul_(input_BH)
        output_slope.mul_(output_gradient_BH)
        of_sums, of_cell = ctx.dtypes
        return slopes_BG.to(of_sums), (cell_gradient_BH * forget_BH).to(of_cell)


class _Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output_BH: Tensor, cell_BH: Tensor) -> Tensor:
        squashed_BH = (2 * cell_BH).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(output_BH, squashed_BH)
        return output_BH * squashed_BH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor]:
        output_BH, squashed_BH = ctx.saved_tensors
        through_BH = outer[0] * output_BH
        squared_BH = squashed_BH * squashed_BH
        return outer[0] * squashed_BH, torch.addcmul(through_BH, through_BH, squared_BH, value=-1)


def lstm_cell(sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output gate and the new cell, given the sums inside the four gates.

    The gates stand in torch's order: input, forget, candidate, output. The sums may be narrow: the
    results are at least in float32.
    """
    # torch declares `apply` without types
    made: tuple[Tensor, Tensor] = _Cell.apply(sums_BG, cell_BH)  # type: ignore[no-untyped-call]
    return made


def lstm_hidden(output_BH: Tensor, cell_BH: Tensor) -> Tensor:
    """Return hidden_BH = output tanh(cell)."""
    # torch declares `apply` without types
    hidden_BH: Tensor = _Hidden.apply(output_BH, cell_BH)  # type: ignore[no-untyped-call]
    return hidden_BH
