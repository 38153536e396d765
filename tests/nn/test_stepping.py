"""The linear map of a loop against torch's own at each step."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from seqcli.nn.stepping import StepLinear
from tests.nn.outcomes import outcome

ROWS, STEPS, INPUT, OUTPUT = 3, 4, 5, 5

each_bias = pytest.mark.parametrize("with_bias", [True, False])


def leaves(with_bias: bool) -> list[Tensor]:
    shapes = [(ROWS, STEPS, INPUT), (OUTPUT, INPUT), *([(OUTPUT,)] if with_bias else [])]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def by_step_linear(inputs_BTI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Each step reads its input and the squashed output before, as a recurrent layer does."""
    step = StepLinear(
        weight_OI,
        bias_O,
        num_steps=inputs_BTI.shape[1],
        batch_size=len(inputs_BTI),
        dtype=inputs_BTI.dtype,
    )
    return recur(inputs_BTI, step)


def by_linear(inputs_BTI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    return recur(inputs_BTI, lambda inputs_BI: linear(inputs_BI, weight_OI, bias_O))


def recur(inputs_BTI: Tensor, step) -> Tensor:
    outputs, state_BO = [], torch.zeros_like(inputs_BTI[:, 0])
    for inputs_BI in inputs_BTI.unbind(1):
        state_BO = torch.tanh(step(inputs_BI + state_BO))
        outputs.append(state_BO)
    return torch.stack(outputs, dim=1)


@each_bias
def test_values_and_gradients_are_those_of_linear(with_bias: bool) -> None:
    given = leaves(with_bias)
    torch.testing.assert_close(
        outcome([by_step_linear(*given)], given), outcome([by_linear(*given)], given)
    )


@each_bias
def test_a_loss_of_some_steps_only_has_the_gradient_of_those(with_bias: bool) -> None:
    given = leaves(with_bias)
    torch.testing.assert_close(
        outcome([by_step_linear(*given)[:, 1]], given), outcome([by_linear(*given)[:, 1]], given)
    )


@each_bias
def test_the_gradient_is_that_by_differences(with_bias: bool) -> None:
    assert torch.autograd.gradcheck(by_step_linear, leaves(with_bias))


def test_the_gradient_can_be_taken_twice() -> None:
    given = leaves(True)
    total = by_step_linear(*given).sum()
    first = torch.autograd.grad(total, given, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(total, given), first)


def test_a_narrow_like_makes_narrow_products_and_wide_gradients() -> None:
    inputs_BTI, weight_OI, bias_O = (t.detach().float() for t in leaves(True))
    weight_OI.requires_grad_()
    bias_O.requires_grad_()
    narrow_BTI = inputs_BTI.bfloat16()
    step = StepLinear(
        weight_OI, bias_O, num_steps=STEPS, batch_size=len(narrow_BTI), dtype=narrow_BTI.dtype
    )
    outputs_BTO = torch.stack([step(inputs_BI) for inputs_BI in inputs_BTI.unbind(1)], dim=1)
    assert outputs_BTO.dtype == torch.bfloat16
    rough = outcome([outputs_BTO.float()], [weight_OI, bias_O])
    exact = outcome([linear(inputs_BTI, weight_OI, bias_O)], [weight_OI, bias_O])
    assert {gradient.dtype for gradient in rough[1:]} == {torch.float32}
    for rough_part, exact_part in zip(rough, exact, strict=True):
        assert (rough_part.float() - exact_part).norm() < 0.02 * exact_part.norm()


def test_it_works_without_gradient() -> None:
    given = leaves(True)
    with torch.inference_mode():
        torch.testing.assert_close(by_step_linear(*given), by_linear(*given))
