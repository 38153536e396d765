"""Products inside a loop over steps, with matrices that stay the same."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class StepProduct:
    """Rows times a matrix, once at each step of a loop.

    Values and gradients are those of `rows @ matrix`. But the gradient of the matrix is made by one
    large product after the last step, not by a small one at each step and their sum, and the matrix
    is brought only once into `dtype`, that of the results: autocast's where this is made under it.

    A matrix_XY is shared by the rows_NX of a step, of which step t has `sizes[t]`. Of matrices_BXY
    each is for its own row: a step reads rows_B1X, and its size is 1. To the results are added
    `offsets`, which stand side by side, step after step, on the axis of the rows.
    """

    def __init__(
        self, matrix: Tensor, sizes: Sequence[int], *, offsets: Tensor | None = None
    ) -> None:
        self.dtype = product_dtype(matrix)
        self._matrix = matrix.detach().to(self.dtype)
        self._adds = offsets is not None
        *batch, width, out_width = matrix.shape
        if offsets is None:  # a single number, seen as many
            offsets = self._matrix.new_zeros(()).expand(*batch, sum(sizes), out_width)
        rows = None
        if torch.is_grad_enabled() and matrix.requires_grad:
            rows = self._matrix.new_empty(*batch, sum(sizes), width)
        # torch declares `apply` without types
        traced = _LateGradient.apply(offsets, matrix, rows)  # type: ignore[no-untyped-call]
        self._offsets = iter(traced.split(list(sizes), dim=-2))
        self._rows = None if rows is None else iter(rows.split(list(sizes), dim=-2))

    @classmethod
    def linear(
        cls, weight_OI: Tensor, bias_O: Tensor | None, sizes: Sequence[int]
    ) -> "StepProduct":
        """Make the step of `nn.functional.linear`."""
        offsets_NO = None
        if bias_O is not None:
            offsets_NO = bias_O.to(product_dtype(weight_OI)).expand(sum(sizes), -1)
        return cls(weight_OI.T, sizes, offsets=offsets_NO)

    def __call__(self, *parts: Tensor) -> Tensor:
        """Return the results of the next step, whose rows are these parts side by side."""
        kept = None if self._rows is None else next(self._rows)
        # torch declares `apply` without types
        results: Tensor = _Step.apply(  # type: ignore[no-untyped-call]
            next(self._offsets), self._matrix, self._adds, kept, *parts
        )
        return results


def product_dtype(matrix: Tensor) -> torch.dtype:
    """Return the number format of products with this matrix, autocast's where one is set."""
    device_type = matrix.device.type
    if torch.is_autocast_enabled(device_type) and matrix.dtype != torch.float64:
        return torch.get_autocast_dtype(device_type)
    return matrix.dtype


class _Step(torch.autograd.Function):
    """One product. The gradient of its offsets is all that `_LateGradient` has to know."""

    @staticmethod
    def forward(
        ctx: Any, offsets: Tensor, matrix: Tensor, adds: bool, kept: Tensor | None, *parts: Tensor
    ) -> Tensor:
        ctx.save_for_backward(matrix)
        ctx.widths = [part.shape[-1] for part in parts]
        ctx.dtypes = [part.dtype for part in parts]
        rows = torch.cat([part.to(matrix.dtype) for part in parts], dim=-1, out=kept)
        if not adds:
            return rows @ matrix
        return (torch.addmm if matrix.dim() == 2 else torch.baddbmm)(offsets, rows, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (matrix,) = ctx.saved_tensors
        of_rows = (outer[0] @ matrix.transpose(-1, -2)).split(ctx.widths, dim=-1)
        of_parts = [part.to(dtype) for part, dtype in zip(of_rows, ctx.dtypes, strict=True)]
        return outer[0], None, None, None, *of_parts


class _LateGradient(torch.autograd.Function):
    """Passes on the offsets of all steps; their gradients come back to it at once."""

    @staticmethod
    def forward(ctx: Any, offsets: Tensor, matrix: Tensor, rows: Tensor | None) -> Tensor:
        ctx.rows = rows  # to be filled step by step, so that it cannot be saved yet
        ctx.dtype = matrix.dtype
        return offsets.view_as(offsets)

    @staticmethod
    @once_differentiable  # the rows are kept without their own history
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.rows is None:
            return outer[0], None, None
        transposed = outer[0].transpose(-1, -2) @ ctx.rows
        return outer[0], transposed.transpose(-1, -2).to(ctx.dtype), None
