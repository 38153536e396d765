"""The part of an LSTM step after its products, as one operation with its own gradient."""

from typing import Any

import torch
from torch import Tensor


class _LSTMPointwise(torch.autograd.Function):
    """Saves a dozen small operations a step and all that autograd would remember of them.

    tanh(x) is 2 sigmoid(2x) - 1, because torch's sigmoid is several times faster on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
        size = cell_BH.shape[1]
        gates_BG = sums_BG.clone()
        candidate_BH = gates_BG[:, 2 * size : 3 * size]
        candidate_BH.mul_(2)
        gates_BG.sigmoid_()
        candidate_BH.mul_(2).sub_(1)
        input_BH, forget_BH, _, output_BH = gates_BG.chunk(4, dim=1)
        new_cell_BH = torch.addcmul(forget_BH * cell_BH, input_BH, candidate_BH)
        squashed_BH = (2 * new_cell_BH).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(gates_BG, cell_BH, squashed_BH)
        return output_BH * squashed_BH, new_cell_BH

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor]:
        gates_BG, cell_BH, squashed_BH = ctx.saved_tensors
        hidden_gradient_BH, cell_gradient_BH = outer
        size = cell_BH.shape[1]
        input_BH, forget_BH, candidate_BH, output_BH = gates_BG.chunk(4, dim=1)
        through_BH = hidden_gradient_BH * output_BH
        inner_BH = torch.addcmul(
            cell_gradient_BH + through_BH, through_BH * squashed_BH, squashed_BH, value=-1
        )
        # of sigmoid: s (1 - s); of tanh, whose outputs stand in the third quarter: 1 - t t
        slopes_BG = torch.addcmul(gates_BG, gates_BG, gates_BG, value=-1)
        torch.addcmul(
            torch.ones_like(candidate_BH),
            candidate_BH,
            candidate_BH,
            value=-1,
            out=slopes_BG[:, 2 * size : 3 * size],
        )
        input_slope, forget_slope, candidate_slope, output_slope = slopes_BG.chunk(4, dim=1)
        input_slope.mul_(inner_BH).mul_(candidate_BH)
        forget_slope.mul_(inner_BH).mul_(cell_BH)
        candidate_slope.mul_(inner_BH).mul_(input_BH)
        output_slope.mul_(hidden_gradient_BH).mul_(squashed_BH)
        return slopes_BG, inner_BH * forget_BH


def lstm_pointwise(sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden_BH and the new cell_BH, given the sums inside the four gates.

    The gates stand in torch's order: input, forget, candidate, output.
    """
    # torch declares `apply` without types
    state: tuple[Tensor, Tensor] = _LSTMPointwise.apply(sums_BG, cell_BH)  # type: ignore[no-untyped-call]
    return state
