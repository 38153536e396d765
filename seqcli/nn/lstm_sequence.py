"""A whole sequence through an LSTM layer, forward and backward, as one operation in training.

The steps make their products with the state one after the other; all others are made at once: those
with the inputs, and the gradients of the weights. In large batches on a CPU this is faster than
oneDNN's LSTM, which keeps its gates in float32, in blocks so large that the system gets them back
and hands them out anew in every step of a training; and it passes over most padding.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqcli.nn.lstm_steps import Kept, Step, backward_steps, forward_steps


def lstm_sequence(
    inputs_NE: Tensor,
    state: tuple[Tensor, Tensor],
    weights: tuple[Tensor, Tensor, Tensor],
    sizes: Sequence[int],
    *,
    mask_BH: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return hidden_NH and cells_NH after each of N tokens, which stand step after step.

    `sizes` tells how many rows each step has: the first ones of the step before, and in the first
    those of `state`, hidden_BH and cell_BH. The `weights` are weight_GE, weight_GH and bias_G; what
    a product reads of the state is multiplied by the mask. Inputs, matrices and hidden states have
    one number format, that of the products; the rest is in that of cell_BH, in which all else is
    computed.
    """
    hidden_BH, cell_BH = state
    _, weight_GH, bias_G = weights
    assert hidden_BH.shape == cell_BH.shape == (sizes[0], weight_GH.shape[1])
    assert len(weight_GH) == len(bias_G)
    assert mask_BH is None or mask_BH.shape == cell_BH.shape
    assert all(size >= next_size for size, next_size in itertools.pairwise(sizes))
    # torch declares `apply` without types
    states: tuple[Tensor, Tensor] = _Sequence.apply(  # type: ignore[no-untyped-call]
        inputs_NE, *weights, *state, mask_BH, list(sizes)
    )
    return states


class _Sequence(torch.autograd.Function):
    """X counts the rows before the first step, and then the tokens.

    R is the width of what a step reads, its inputs and then the state: beside each other, they have
    one product for the gradients of both matrices.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs_NE: Tensor,
        weight_GE: Tensor,
        weight_GH: Tensor,
        bias_G: Tensor,
        hidden_BH: Tensor,
        cell_BH: Tensor,
        mask_BH: Tensor | None,
        sizes: list[int],
    ) -> tuple[Tensor, Tensor]:
        (num_tokens, input_size), hidden_size = inputs_NE.shape, hidden_BH.shape[1]
        gates_NG = inputs_NE @ weight_GE.T  # of a step: first this product
        hidden_NH = inputs_NE.new_empty(num_tokens, hidden_size)
        read_NR = inputs_NE.new_empty(num_tokens, input_size + hidden_size)
        read_NR[:, :input_size] = inputs_NE
        read_NH = read_NR[:, input_size:]
        read_NH[: sizes[0]] = (
            hidden_BH if mask_BH is None else hidden_BH * mask_BH.to(hidden_BH.dtype)
        )
        cells_XH = cell_BH.new_empty(len(cell_BH) + num_tokens, hidden_size)
        cells_XH[: len(cell_BH)] = cell_BH
        kept = Kept(gates_NG, cells_XH, mask_BH)
        products_BG = gates_NG.new_empty(sizes[0], len(weight_GH))
        forward_step = forward_steps(kept, products_BG, bias_G, hidden_NH, read_NH)
        weight_HG = weight_GH.T
        for step, read_BH in zip(_steps(sizes), read_NH.split(sizes), strict=True):
            torch.mm(read_BH, weight_HG, out=products_BG[: step.size])
            forward_step(step)
        ctx.sizes = sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(read_NR, weight_GE, weight_GH, *kept)
        return hidden_NH, cells_XH[sizes[0] :]

    @staticmethod
    @once_differentiable  # it uses no operations that autograd follows
    def backward(
        ctx: Any, of_hidden_NH: Tensor | None, of_cells_NH: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        read_NR, weight_GE, weight_GH, *others = ctx.saved_tensors
        gates_NG, cells_XH, mask_BH = kept = Kept(*others)
        of_sums_NG = torch.empty_like(gates_NG)
        of_read_BH = read_NR.new_empty(ctx.sizes[0], weight_GH.shape[1])
        of_cell_BH = cells_XH.new_zeros(of_read_BH.shape)
        backward_step = backward_steps(
            kept, (of_hidden_NH, of_cells_NH), of_read_BH, of_cell_BH, of_sums_NG
        )
        parts = list(zip(_steps(ctx.sizes), of_sums_NG.split(ctx.sizes), strict=True))
        for step, of_sums_BG in reversed(parts):
            backward_step(step)
            torch.mm(of_sums_BG, weight_GH, out=of_read_BH[: step.size])
        needs_inputs, *needs_weights = ctx.needs_input_grad[:3]
        of_weights: tuple[Tensor | None, ...] = (None, None)
        if any(needs_weights):
            of_weights = (of_sums_NG.T @ read_NR).split([weight_GE.shape[1], weight_GH.shape[1]], 1)
        return (
            of_sums_NG @ weight_GE if needs_inputs else None,
            *of_weights,
            backward_step.bias_gradient(),
            of_read_BH if mask_BH is None else of_read_BH * mask_BH.to(of_read_BH.dtype),
            of_cell_BH,
            None,
            None,
        )


def _steps(sizes: list[int]) -> Iterator[Step]:
    start = previous = 0
    for size, next_size in zip(sizes, [*sizes[1:], 0], strict=True):
        yield Step(start, size, previous, next_size)
        previous = sizes[0] + start
        start += size
