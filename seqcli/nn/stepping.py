"""Linear maps inside a loop over steps."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class StepLinear:
    """A linear map that is applied once at each of T steps.

    Its result is that of `nn.functional.linear`, its gradient too. But the gradient of the weight
    is made by one large product after the last step, not by T small ones and their sum, and the
    weight is brought into `dtype`, that of the results (bfloat16 under autocast), only once.
    """

    def __init__(
        self,
        weight_OI: Tensor,
        bias_O: Tensor | None,
        *,
        num_steps: int,
        batch_size: int,
        dtype: torch.dtype,
    ) -> None:
        self._weight_IO = weight_OI.detach().to(dtype).T
        self._inputs: list[Tensor] = []
        shape = (num_steps, batch_size, len(weight_OI))
        # torch declares `apply` without types
        offsets_TBO = _LateGradient.apply(weight_OI, bias_O, self._inputs, shape, dtype)  # type: ignore[no-untyped-call]
        self._offsets_BO = iter(offsets_TBO.unbind(0))

    def __call__(self, inputs_BI: Tensor) -> Tensor:
        """Return outputs_BO of the next step."""
        narrow_BI = inputs_BI.to(self._weight_IO.dtype)
        if torch.is_grad_enabled():
            self._inputs.append(narrow_BI.detach())
        return torch.addmm(next(self._offsets_BO), narrow_BI, self._weight_IO)


class _LateGradient(torch.autograd.Function):
    """Gives the bias for every step; the gradients of all steps come back to it at once."""

    @staticmethod
    def forward(
        ctx: Any,
        weight_OI: Tensor,
        bias_O: Tensor | None,
        inputs: list[Tensor],
        shape: tuple[int, int, int],
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.inputs = inputs
        ctx.weight_dtype = weight_OI.dtype
        ctx.has_bias = bias_O is not None
        offset_O = torch.zeros(shape[2], dtype=dtype, device=weight_OI.device)
        if bias_O is not None:
            offset_O.copy_(bias_O)
        return offset_O.expand(shape)

    @staticmethod
    @once_differentiable  # the inputs are kept without their own history
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        gradient_NO = outer[0].flatten(0, 1)
        inputs_NI = torch.cat(ctx.inputs)
        weight_gradient = (gradient_NO.T @ inputs_NI).to(ctx.weight_dtype)
        bias_gradient = gradient_NO.sum(0, dtype=ctx.weight_dtype) if ctx.has_bias else None
        return weight_gradient, bias_gradient, None, None, None
