"""All that can differ between two ways to the same answer: values and gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor


def outcome(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """Return `outputs`, and the gradient at each leaf of the same random sum of them."""
    generator = torch.Generator().manual_seed(7)
    total = 0
    for output in outputs:
        weights = torch.randn(output.shape, generator=generator, dtype=torch.float64)
        total += (output * weights.to(output.dtype)).sum()
    return [*outputs, *torch.autograd.grad(total, leaves)]


def assert_reached(parameters: Sequence[Tensor]) -> None:
    """Each parameter has a gradient that is not zero."""
    for parameter in parameters:
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
