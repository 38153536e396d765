"""The products of a loop against torch's own at each step."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from seqcli.nn.stepping import StepProduct
from tests.nn.outcomes import outcome

ROWS, STEPS, WIDTH = 3, 4, 5

each_bias = pytest.mark.parametrize("with_bias", [True, False])


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def leaves(with_bias: bool) -> list[Tensor]:
    shapes = [(ROWS, STEPS, WIDTH), (WIDTH, WIDTH), *([(WIDTH,)] if with_bias else [])]
    return [normal(*shape) for shape in shapes]


def by_steps(inputs_BTI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Each step reads its input and the squashed output before, as a recurrent layer does."""
    sizes = [len(inputs_BTI)] * inputs_BTI.shape[1]
    return recur(inputs_BTI, StepProduct.linear(weight_OI, bias_O, sizes))


def by_linear(inputs_BTI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    return recur(inputs_BTI, lambda inputs_BI: linear(inputs_BI, weight_OI, bias_O))


def recur(inputs_BTI: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    outputs, state_BO = [], torch.zeros_like(inputs_BTI[:, 0])
    for inputs_BI in inputs_BTI.unbind(1):
        state_BO = torch.tanh(step(inputs_BI + state_BO))
        outputs.append(state_BO)
    return torch.stack(outputs, dim=1)


@each_bias
def test_values_and_gradients_are_those_of_linear(with_bias: bool) -> None:
    given = leaves(with_bias)
    torch.testing.assert_close(
        outcome([by_steps(*given)], given), outcome([by_linear(*given)], given)
    )


@each_bias
def test_a_loss_of_some_steps_only_has_the_gradient_of_those(with_bias: bool) -> None:
    given = leaves(with_bias)
    torch.testing.assert_close(
        outcome([by_steps(*given)[:, 1]], given), outcome([by_linear(*given)[:, 1]], given)
    )


@each_bias
def test_the_gradient_is_that_by_differences(with_bias: bool) -> None:
    assert torch.autograd.gradcheck(by_steps, leaves(with_bias))


def test_the_gradient_can_be_taken_twice() -> None:
    given = leaves(True)
    total = by_steps(*given).sum()
    first = torch.autograd.grad(total, given, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(total, given), first)


@pytest.mark.parametrize("frozen", ["matrix", "rows", "offsets"])
def test_what_needs_no_gradient_takes_none_from_the_others(frozen: str) -> None:
    inputs_BTI, weight_OI, bias_O = leaves(True)
    given = {"rows": inputs_BTI, "matrix": weight_OI, "offsets": bias_O}
    given.pop(frozen).requires_grad_(False)
    arguments, wanted = [inputs_BTI, weight_OI, bias_O], [*given.values()]
    torch.testing.assert_close(
        outcome([by_steps(*arguments)], wanted), outcome([by_linear(*arguments)], wanted)
    )


def test_rows_may_come_in_parts_and_fewer_at_each_step() -> None:
    sizes = [4, 4, 2, 1]
    weight_OI, offsets_NO = normal(WIDTH, 3 + 2), normal(sum(sizes), WIDTH)
    left_NX, right_NX = normal(sum(sizes), 3), normal(sum(sizes), 2)
    product = StepProduct(weight_OI.T, sizes, offsets=offsets_NO)
    parts = zip(left_NX.split(sizes), right_NX.split(sizes), strict=True)
    stepped_NO = torch.cat([product(left, right) for left, right in parts])
    whole_NO = offsets_NO + torch.cat([left_NX, right_NX], dim=1) @ weight_OI.T
    given = [left_NX, right_NX, weight_OI, offsets_NO]
    torch.testing.assert_close(outcome([stepped_NO], given), outcome([whole_NO], given))


def test_each_row_may_have_a_matrix_of_its_own() -> None:
    rows_BTX, matrices_BXY = normal(ROWS, STEPS, WIDTH), normal(ROWS, WIDTH, 2)
    product = StepProduct(matrices_BXY, [1] * STEPS)
    stepped_BTY = torch.cat([product(rows_B1X) for rows_B1X in rows_BTX.split(1, dim=1)], dim=1)
    given = [rows_BTX, matrices_BXY]
    torch.testing.assert_close(
        outcome([stepped_BTY], given), outcome([rows_BTX @ matrices_BXY], given)
    )


def test_a_product_made_under_autocast_is_narrow_and_its_gradients_are_wide() -> None:
    inputs_BTI, weight_OI, bias_O = (t.detach().float().requires_grad_() for t in leaves(True))
    sizes = [ROWS] * STEPS
    with torch.autocast("cpu", torch.bfloat16):
        step = StepProduct.linear(weight_OI, bias_O, sizes)
    outputs_BTO = torch.stack([step(inputs_BI) for inputs_BI in inputs_BTI.unbind(1)], dim=1)
    assert outputs_BTO.dtype == torch.bfloat16
    given = [inputs_BTI, weight_OI, bias_O]
    rough = outcome([outputs_BTO.float()], given)
    exact = outcome([linear(*given)], given)
    assert {gradient.dtype for gradient in rough[1:]} == {torch.float32}
    for rough_part, exact_part in zip(rough, exact, strict=True):
        assert (rough_part - exact_part).norm() < 0.02 * exact_part.norm()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_without_gradient(mode: Callable[[], torch.no_grad]) -> None:
    given = leaves(True)
    with mode():
        torch.testing.assert_close(by_steps(*given), by_linear(*given))
