"""A whole sequence through an LSTM layer, forward and backward, as one operation in training.

The steps make their products with the state one after the other; all others are made at once: those
with the inputs, and the gradients of the weights. In large batches on a CPU this is faster than
oneDNN's LSTM, which keeps its gates in float32, in blocks so large that the system gets them back
and hands them out anew in every step of a training; and it passes over padding.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    a product reads of the state is multiplied by the mask. Inputs, weights, hidden states and mask
    have one number format, that of the products; all else is computed in that of cell_BH.
    """
    # torch declares `apply` without types
    states: tuple[Tensor, Tensor] = _Sequence.apply(  # type: ignore[no-untyped-call]
        inputs_NE, *weights, *state, mask_BH, list(sizes)
    )
    return states


class _Sequence(torch.autograd.Function):
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
        sums_NG = torch.addmm(bias_G, inputs_NE, weight_GE.T)
        read_NH, tanh_NH = sums_NG.new_empty(2, len(sums_NG), hidden_BH.shape[1])
        hidden_NH, cells_NH = torch.empty_like(read_NH), cell_BH.new_empty(read_NH.shape)
        weight_HG = weight_GH.T
        first_BH = cell_BH
        for gates, sums_BG, read_BH, tanh_BH, new_hidden_BH, new_cell_BH in zip(
            _rooms_for_gates(cell_BH, sizes),
            *(part.split(sizes) for part in (sums_NG, read_NH, tanh_NH, hidden_NH, cells_NH)),
            strict=True,
        ):
            size = len(sums_BG)
            read_BH.copy_(hidden_BH[:size])
            if mask_BH is not None:
                read_BH.mul_(mask_BH[:size])
            gates.all_BG.copy_(torch.addmm(sums_BG, read_BH, weight_HG, out=sums_BG))
            _open(gates)
            sums_BG.copy_(gates.all_BG)  # from here on they are the gates
            torch.mul(gates.forget_BH, cell_BH[:size], out=new_cell_BH)
            new_cell_BH.addcmul_(gates.input_BH, gates.candidate_BH)
            wide_BH = _tanh(new_cell_BH, room_BH=gates.forget_BH)
            tanh_BH.copy_(wide_BH)
            new_hidden_BH.copy_(wide_BH.mul_(gates.output_BH))
            hidden_BH, cell_BH = new_hidden_BH, new_cell_BH
        ctx.sizes = sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(
            inputs_NE, read_NH, weight_GE, weight_GH, mask_BH, sums_NG, tanh_NH, cells_NH, first_BH
        )
        return hidden_NH, cells_NH

    @staticmethod
    @once_differentiable  # its operations are in place
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, ...]:
        inputs_NE, read_NH, weight_GE, weight_GH, mask_BH, *kept = ctx.saved_tensors
        of_sums_NG, of_bias_G, of_hidden_BH, of_cell_BH = _retrace(
            ctx.sizes, weight_GH, mask_BH, kept, *outer
        )
        needs_inputs, needs_weight_GE, needs_weight_GH, *_ = ctx.needs_input_grad
        return (
            of_sums_NG @ weight_GE if needs_inputs else None,
            of_sums_NG.T @ inputs_NE if needs_weight_GE else None,
            of_sums_NG.T @ read_NH if needs_weight_GH else None,
            of_bias_G.to(inputs_NE.dtype),
            of_hidden_BH.to(inputs_NE.dtype),
            of_cell_BH,
            None,
            None,
        )


class _Gates(NamedTuple):
    """Room for the gates of a step, in torch's order, and for each of them."""

    all_BG: Tensor
    input_BH: Tensor
    forget_BH: Tensor
    candidate_BH: Tensor
    output_BH: Tensor


def _rooms_for_gates(like_BH: Tensor, sizes: Sequence[int]) -> Iterator[_Gates]:
    """Give each step the same room, as many rows of it as the step has."""
    room_BG = like_BH.new_empty(max(sizes), 4 * like_BH.shape[1])
    for size, steps in itertools.groupby(sizes):
        rows_BG = room_BG[:size]
        gates = _Gates(rows_BG, *rows_BG.chunk(4, dim=1))
        yield from (gates for _ in steps)


def _open(gates: _Gates) -> None:
    """Turn the sums inside the gates into the gates."""
    gates.candidate_BH.mul_(2)
    gates.all_BG.sigmoid_()
    gates.candidate_BH.mul_(2).sub_(1)


def _tanh(values_BH: Tensor, *, room_BH: Tensor) -> Tensor:
    """Return 2 sigmoid(2x) - 1 in `room_BH`: torch's sigmoid is several times faster than tanh."""
    return torch.mul(values_BH, 2, out=room_BH).sigmoid_().mul_(2).sub_(1)


def _retrace(
    sizes: list[int],
    weight_GH: Tensor,
    mask_BH: Tensor | None,
    kept: Sequence[Tensor],
    outer_NH: Tensor | None,
    outer_cells_NH: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of the sums of all steps, of the bias, and of the state at first.

    From the last step to the first. A step may have more rows than the one after it: these get no
    gradient from there. `kept` are the gates_NG, tanh_NH of the cells_NH, these, and the first one.
    """
    gates_NG, tanh_NH, cells_NH, cell_BH = kept
    of_sums_NG = torch.empty_like(gates_NG)
    of_bias_G = cell_BH.new_zeros(gates_NG.shape[1])
    of_hidden_BH, of_cell_BH = cell_BH.new_zeros(2, *cell_BH.shape)
    wide_BH = torch.empty_like(cell_BH)
    no_gradients = [None] * len(sizes)
    steps = zip(
        gates_NG.split(sizes)[::-1],
        tanh_NH.split(sizes)[::-1],
        [cell_BH, *cells_NH.split(sizes)[:-1]][::-1],
        of_sums_NG.split(sizes)[::-1],
        no_gradients if outer_NH is None else outer_NH.split(sizes)[::-1],
        no_gradients if outer_cells_NH is None else outer_cells_NH.split(sizes)[::-1],
        _rooms_for_gates(cell_BH, sizes[::-1]),
        _rooms_for_gates(cell_BH, sizes[::-1]),
        strict=True,
    )
    for gates_BG, tanh_BH, before_BH, of_sums_BG, outer_BH, outer_cell_BH, gates, slopes in steps:
        size = len(gates_BG)
        step_hidden_BH, step_cell_BH = of_hidden_BH[:size], of_cell_BH[:size]
        if outer_BH is not None:
            step_hidden_BH += outer_BH
        if outer_cell_BH is not None:
            step_cell_BH += outer_cell_BH
        gates.all_BG.copy_(gates_BG)
        step_tanh_BH = wide_BH[:size].copy_(tanh_BH)
        _differentiate(gates, slopes, step_tanh_BH, before_BH[:size], step_hidden_BH, step_cell_BH)
        of_bias_G += slopes.all_BG.sum(0)
        of_sums_BG.copy_(slopes.all_BG)
        step_hidden_BH.copy_(of_sums_BG @ weight_GH)
        if mask_BH is not None:
            step_hidden_BH *= mask_BH[:size]
    return of_sums_NG, of_bias_G, of_hidden_BH, of_cell_BH


def _differentiate(
    gates: _Gates,
    slopes: _Gates,
    tanh_BH: Tensor,
    before_BH: Tensor,
    of_hidden_BH: Tensor,
    of_cell_BH: Tensor,
) -> None:
    """Put the gradients of a step's sums into `slopes`, and that of its cell before in place.

    That of a sigmoid is s (1 - s), of a tanh 1 - t t.
    """
    torch.addcmul(gates.all_BG, gates.all_BG, gates.all_BG, value=-1, out=slopes.all_BG)
    slopes.candidate_BH.add_(1).sub_(gates.candidate_BH)
    slopes.output_BH.mul_(of_hidden_BH).mul_(tanh_BH)
    through_BH = tanh_BH.mul_(tanh_BH).sub_(1).mul_(gates.output_BH)
    of_cell_BH.addcmul_(through_BH, of_hidden_BH, value=-1)
    slopes.input_BH.mul_(of_cell_BH).mul_(gates.candidate_BH)
    slopes.forget_BH.mul_(of_cell_BH).mul_(before_BH)
    slopes.candidate_BH.mul_(of_cell_BH).mul_(gates.input_BH)
    of_cell_BH.mul_(gates.forget_BH)
