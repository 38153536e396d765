"""The steps of an LSTM layer between their products, forward and backward.

Rows stand step after step, of all steps in one array, but for what goes on from step to step. The
cells begin with those before the first step, one for each of its rows.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqcli.nn.compiled.arithmetic import ONE, narrow, sigmoid, tanh, widen
from seqcli.nn.compiled.compiler import Row, carray, inner, loop
from seqcli.nn.compiled.threads import ThreadedCall, layout_of, matrix, next_share, vector, wide
from seqcli.nn.lstm_steps import Kept, Step

STEP = (
    *Step._fields,
    "first_size",  # the rows of the first step
    "hidden_size",
    "gates",
    "cells",
    "mask",
)
FORWARD = layout_of(*STEP, "products", "bias", "hidden", "read", "read_stride")
BACKWARD = layout_of(*STEP, "of_hidden", "of_cells", "of_read", "of_cell", "of_sums", "of_bias")


@inner
def _forward(pointer: Any, stored: Any) -> None:
    """Go from the products of a step, of which one stands in place of its gates, to its states."""
    step = carray(pointer, 1, FORWARD)[0]
    size, width = step.size, step.hidden_size
    gates = matrix(step.gates, step.start + size, 4 * width, stored)
    products = matrix(step.products, size, 4 * width, stored)
    hidden = matrix(step.hidden, step.start + size, width, stored)
    read = matrix(step.read, step.start + size + step.next_size, step.read_stride, stored)
    cells = matrix(step.cells, step.first_size + step.start + size, width, np.float32)
    bias = vector(step.bias, 4 * width, np.float32)
    mask = matrix(step.mask, step.first_size, width, np.float32)
    scratch = np.empty(4 * width, np.float32)
    states = scratch[:width]
    share = next_share(pointer)
    while share < step.shares:
        for row in range(size * share // step.shares, size * (share + 1) // step.shares):
            place = step.start + row
            _open_gates(gates[place], products[row], bias, scratch)
            cell = cells[step.first_size + place]
            _go_on(scratch, cells[step.previous + row], cell)
            _store(states, hidden[place])
            if row < step.next_size:
                if step.mask:
                    _multiply(states, mask[row])
                _store(states, read[place + size][:width])
        share = next_share(pointer)


@loop
def _open_gates(gates: Row, products: Row, bias: Row, scratch: Row) -> None:
    """Replace a product by gates, which stay in `scratch` in float32, in torch's order."""
    width = len(scratch) // 4
    _add_up(gates, products, bias, scratch)
    _squash(scratch[: 2 * width])
    _squash_candidate(scratch[2 * width : 3 * width])
    _squash(scratch[3 * width :])
    _store(scratch, gates)


@loop
def _go_on(scratch: Row, before: Row, cell: Row) -> None:
    """Make the new cell, and the hidden states in place of the input gate."""
    width = len(cell)
    _new_cell(
        scratch[:width], scratch[width : 2 * width], scratch[2 * width : 3 * width], before, cell
    )
    _hidden(scratch[3 * width :], cell, scratch[:width])


@loop
def _add_up(of_inputs: Row, of_states: Row, bias: Row, sums: Row) -> None:
    for place in range(len(sums)):
        sums[place] = widen(of_inputs[place]) + widen(of_states[place]) + bias[place]


@loop
def _squash(values: Row) -> None:
    for place in range(len(values)):
        values[place] = sigmoid(values[place])


@loop
def _squash_candidate(values: Row) -> None:
    for place in range(len(values)):
        values[place] = tanh(values[place])


@loop
def _new_cell(inputs: Row, forgets: Row, candidates: Row, before: Row, cell: Row) -> None:
    for unit in range(len(cell)):
        cell[unit] = forgets[unit] * before[unit] + inputs[unit] * candidates[unit]


@loop
def _hidden(outputs: Row, cell: Row, hidden: Row) -> None:
    for unit in range(len(hidden)):
        hidden[unit] = outputs[unit] * tanh(cell[unit])


@loop
def _multiply(values: Row, factors: Row) -> None:
    for place in range(len(values)):
        values[place] *= factors[place]


@loop
def _store(values: Row, stored: Row) -> None:
    for place in range(len(values)):
        stored[place] = narrow(values[place], stored[place])


@inner
def _backward(pointer: Any, stored: Any) -> None:
    """Make the gradient of a step's sums, and of the cell before it, from those of its states."""
    step = carray(pointer, 1, BACKWARD)[0]
    size, width = step.size, step.hidden_size
    gates = matrix(step.gates, step.start + size, 4 * width, stored)
    cells = matrix(step.cells, step.first_size + step.start + size, width, np.float32)
    mask = matrix(step.mask, step.first_size, width, np.float32)
    of_hidden = matrix(step.of_hidden, step.start + size, width, stored)
    of_cells = matrix(step.of_cells, step.start + size, width, np.float32)
    of_read = matrix(step.of_read, step.next_size, width, stored)
    of_cell = matrix(step.of_cell, step.first_size, width, np.float32)
    of_sums = matrix(step.of_sums, step.start + size, 4 * width, stored)
    of_bias = matrix(step.of_bias, step.shares, 4 * width, np.float32)
    scratch = np.empty(4 * width, np.float32)
    of_states = np.empty(width, np.float32)
    share = next_share(pointer)
    while share < step.shares:
        for row in range(size * share // step.shares, size * (share + 1) // step.shares):
            place = step.start + row
            of_states[:] = 0
            if row < step.next_size:
                _add(of_read[row], of_states)
                if step.mask:
                    _multiply(of_states, mask[row])
            if step.of_hidden:
                _add(of_hidden[place], of_states)
            if step.of_cells:
                _add(of_cells[place], of_cell[row])
            scratch[:] = 0
            _add(gates[place], scratch)
            cell, before = cells[step.first_size + place], cells[step.previous + row]
            _differentiate(scratch, cell, before, of_states, of_cell[row])
            _add(scratch, of_bias[share])
            _store(scratch, of_sums[place])
        share = next_share(pointer)


@loop
def _differentiate(scratch: Row, cell: Row, before: Row, of_states: Row, of_cell: Row) -> None:
    """Replace the gates in `scratch` by the gradients of their sums.

    The gradient of a sigmoid is s (1 - s), of a tanh 1 - t t. On the way `of_states` is used up,
    and `of_cell` becomes the gradient of the cell before.
    """
    width = len(cell)
    _through_output(scratch[3 * width :], cell, of_states, of_cell)
    _through_candidate(scratch[:width], scratch[2 * width : 3 * width], of_cell)
    _through_forget(scratch[width : 2 * width], before, of_cell)


@loop
def _through_output(outputs: Row, cell: Row, of_states: Row, of_cell: Row) -> None:
    for unit in range(len(cell)):
        gate, squashed = outputs[unit], tanh(cell[unit])
        outputs[unit] = of_states[unit] * squashed * gate * (ONE - gate)
        of_cell[unit] += of_states[unit] * gate * (ONE - squashed * squashed)


@loop
def _through_candidate(inputs: Row, candidates: Row, of_cell: Row) -> None:
    for unit in range(len(of_cell)):
        gate, value = inputs[unit], candidates[unit]
        inputs[unit] = of_cell[unit] * value * gate * (ONE - gate)
        candidates[unit] = of_cell[unit] * gate * (ONE - value * value)


@loop
def _through_forget(forgets: Row, before: Row, of_cell: Row) -> None:
    for unit in range(len(of_cell)):
        gate = forgets[unit]
        forgets[unit] = of_cell[unit] * before[unit] * gate * (ONE - gate)
        of_cell[unit] *= gate


@loop
def _add(stored: Row, sums: Row) -> None:
    for place in range(len(sums)):
        sums[place] += widen(stored[place])


def _forward_bfloat16(pointer: Any) -> None:
    _forward(pointer, np.uint16)


def _forward_float32(pointer: Any) -> None:
    _forward(pointer, np.float32)


def _backward_bfloat16(pointer: Any) -> None:
    _backward(pointer, np.uint16)


def _backward_float32(pointer: Any) -> None:
    _backward(pointer, np.float32)


FORWARD_BY_FORMAT = {torch.bfloat16: _forward_bfloat16, torch.float32: _forward_float32}
BACKWARD_BY_FORMAT = {torch.bfloat16: _backward_bfloat16, torch.float32: _backward_float32}


class _Steps:
    def __init__(self, call: ThreadedCall, sums_NG: Tensor) -> None:
        self._call, self._width = call, sums_NG.shape[1]

    def __call__(self, step: Step) -> None:
        self._call(step.size * self._width, *step)


class Forward(_Steps):
    """See `lstm_steps.forward_steps`."""

    def __init__(
        self,
        kept: Kept,
        products_BG: Tensor,
        bias_G: Tensor,
        hidden_NH: Tensor,
        read_NH: Tensor,
    ) -> None:
        self._read_NH = read_NH  # whose rows have others between them
        call = ThreadedCall(
            FORWARD_BY_FORMAT[hidden_NH.dtype],
            FORWARD,
            {
                **_common(kept),
                "products": products_BG,
                "bias": wide(bias_G),
                "hidden": hidden_NH,
                "read": read_NH.data_ptr(),
                "read_stride": read_NH.stride(0),
            },
        )
        super().__init__(call, kept.gates_NG)


class Backward(_Steps):
    """See `lstm_steps.backward_steps`."""

    def __init__(
        self,
        kept: Kept,
        outer: tuple[Tensor | None, Tensor | None],
        of_read_BH: Tensor,
        of_cell_BH: Tensor,
        of_sums_NG: Tensor,
    ) -> None:
        of_hidden_NH, of_cells_NH = outer
        num_shares = torch.get_num_threads()
        self._of_bias_PG = of_cell_BH.new_zeros(num_shares, of_sums_NG.shape[1])  # a row for each
        call = ThreadedCall(
            BACKWARD_BY_FORMAT[of_sums_NG.dtype],
            BACKWARD,
            {
                **_common(kept),
                "of_hidden": None if of_hidden_NH is None else of_hidden_NH.contiguous(),
                "of_cells": None if of_cells_NH is None else of_cells_NH.contiguous(),
                "of_read": of_read_BH,
                "of_cell": of_cell_BH,
                "of_sums": of_sums_NG,
                "of_bias": self._of_bias_PG,
            },
        )
        super().__init__(call, of_sums_NG)

    def bias_gradient(self) -> Tensor:
        return self._of_bias_PG.sum(0)


def _common(kept: Kept) -> dict[str, int | Tensor | None]:
    gates_NG, cells_XH, mask_BH = kept
    return {
        "first_size": len(cells_XH) - len(gates_NG),
        "hidden_size": cells_XH.shape[1],
        "gates": gates_NG,
        "cells": cells_XH,
        "mask": None if mask_BH is None else wide(mask_BH),
    }
