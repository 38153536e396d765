"""The steps of an LSTM layer between their products: compiled for the CPU, else in torch.

Rows stand step after step, of all steps in one tensor. X counts the rows before the first step, and
then those of all steps.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from seqcli.nn.compiled import is_compiled_for


class Step(NamedTuple):
    """Where a step has its rows."""

    start: int  # the rows of all steps before it
    size: int
    previous: int  # where the cells of the step before begin, on the axis X
    next_size: int  # the rows of the step after it, 0 after the last


class Kept(NamedTuple):
    """What is kept of all steps."""

    gates_NG: Tensor  # in torch's order: input, forget, candidate, output
    cells_XH: Tensor
    mask_BH: Tensor | None  # of what products read of the state

    @property
    def are_compiled(self) -> bool:
        """Whether there is compiled code for steps of these number formats."""
        return is_compiled_for(self.gates_NG) and self.cells_XH.dtype == torch.float32


class BackwardSteps(Protocol):
    """What goes through a step from its states back to its sums."""

    def __call__(self, step: Step) -> None: ...

    def bias_gradient(self) -> Tensor:
        """Return that of bias_G by all steps so far."""


def forward_steps(
    kept: Kept, products_BG: Tensor, bias_G: Tensor, hidden_NH: Tensor, read_NH: Tensor
) -> Callable[[Step], None]:
    """Return what goes through a step from its products to its states.

    Those of its inputs stand in place of gates, those of its state in products_BG. It makes the
    gates, the cells, the hidden states, and what the next step's product reads of these.
    """
    if not kept.are_compiled:
        return _Forward(kept, products_BG, bias_G, hidden_NH, read_NH)
    from seqcli.nn.compiled.lstm import Forward

    return Forward(kept, products_BG, bias_G, hidden_NH, read_NH)


def backward_steps(
    kept: Kept,
    outer: tuple[Tensor | None, Tensor | None],
    of_read_BH: Tensor,
    of_cell_BH: Tensor,
    of_sums_NG: Tensor,
) -> BackwardSteps:
    """Return what goes back through a step; it is to be called from the last to the first.

    Given are the gradients by what is `outer` to the layer, of all its hidden states and cells, and
    of_read_BH, that of what the next step has read. It makes of_sums_NG. That of the cells of a
    step, of_cell_BH, becomes that of the cells of the step before.
    """
    if not kept.are_compiled:
        return _Backward(kept, outer, of_read_BH, of_cell_BH, of_sums_NG)
    from seqcli.nn.compiled.lstm import Backward

    return Backward(kept, outer, of_read_BH, of_cell_BH, of_sums_NG)


class _Forward:
    def __init__(
        self,
        kept: Kept,
        products_BG: Tensor,
        bias_G: Tensor,
        hidden_NH: Tensor,
        read_NH: Tensor,
    ) -> None:
        self._kept, self._products_BG, self._bias_G = kept, products_BG, bias_G
        self._hidden_NH, self._read_NH = hidden_NH, read_NH

    def __call__(self, step: Step) -> None:
        (gates_NG, cells_XH, mask_BH), (start, size, previous, next_size) = self._kept, step
        end, offset = start + size, len(cells_XH) - len(gates_NG)
        sums_BG = self._bias_G + gates_NG[start:end] + self._products_BG[:size]
        input_BH, forget_BH, candidate_BH, output_BH = sums_BG.sigmoid().chunk(4, dim=1)
        candidate_BH.copy_(sums_BG.chunk(4, dim=1)[2].tanh())
        gates_NG[start:end] = torch.cat([input_BH, forget_BH, candidate_BH, output_BH], dim=1)
        cell_BH = forget_BH * cells_XH[previous : previous + size] + input_BH * candidate_BH
        cells_XH[offset + start : offset + end] = cell_BH
        hidden_BH = output_BH * cell_BH.tanh()
        self._hidden_NH[start:end] = hidden_BH
        read_BH = hidden_BH[:next_size]
        if mask_BH is not None:
            read_BH = read_BH * mask_BH[:next_size]
        self._read_NH[end : end + next_size] = read_BH


class _Backward:
    def __init__(
        self,
        kept: Kept,
        outer: tuple[Tensor | None, Tensor | None],
        of_read_BH: Tensor,
        of_cell_BH: Tensor,
        of_sums_NG: Tensor,
    ) -> None:
        self._kept, self._outer = kept, outer
        self._of_read_BH, self._of_cell_BH = of_read_BH, of_cell_BH
        self._of_sums_NG = of_sums_NG
        self._of_bias_G = of_cell_BH.new_zeros(of_sums_NG.shape[1])

    def __call__(self, step: Step) -> None:
        (gates_NG, cells_XH, mask_BH), (start, size, previous, next_size) = self._kept, step
        end, offset = start + size, len(cells_XH) - len(gates_NG)
        of_cell_BH = self._of_cell_BH[:size]
        of_hidden_BH = torch.zeros_like(of_cell_BH)
        of_hidden_BH[:next_size] = self._of_read_BH[:next_size]
        if mask_BH is not None:
            of_hidden_BH *= mask_BH[:size]
        for gradient_BH, outer_NH in zip((of_hidden_BH, of_cell_BH), self._outer, strict=True):
            if outer_NH is not None:
                gradient_BH += outer_NH[start:end]
        gates_BG = gates_NG[start:end].to(of_cell_BH.dtype)
        input_BH, forget_BH, candidate_BH, output_BH = gates_BG.chunk(4, dim=1)
        tanh_BH = cells_XH[offset + start : offset + end].tanh()
        of_cell_BH += of_hidden_BH * output_BH * (1 - tanh_BH * tanh_BH)
        of_gates_BG = torch.cat(
            [
                of_cell_BH * candidate_BH,
                of_cell_BH * cells_XH[previous : previous + size],
                of_cell_BH * input_BH,
                of_hidden_BH * tanh_BH,
            ],
            dim=1,
        )
        of_cell_BH *= forget_BH
        slopes_BG = gates_BG * (1 - gates_BG)  # of a sigmoid s (1 - s), of a tanh 1 - t t
        slopes_BG.chunk(4, dim=1)[2].copy_(1 - candidate_BH * candidate_BH)
        of_sums_BG = of_gates_BG * slopes_BG
        self._of_sums_NG[start:end] = of_sums_BG
        self._of_bias_G += of_sums_BG.sum(0)

    def bias_gradient(self) -> Tensor:
        return self._of_bias_G
