"""The joined LSTM operations against autograd of the plain formula."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.pointwise import lstm_cell, lstm_hidden
from tests.nn.outcomes import outcome


def joined(sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
    output_BH, new_cell_BH = lstm_cell(sums_BG, cell_BH)
    return lstm_hidden(output_BH, new_cell_BH), new_cell_BH


def plain(sums_BG: Tensor, cell_BH: Tensor) -> tuple[Tensor, Tensor]:
    enter, forget, candidate, leave = sums_BG.chunk(4, dim=1)
    new_BH = forget.sigmoid() * cell_BH + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * new_BH.tanh(), new_BH


def leaves(scale: float = 1.0) -> tuple[Tensor, Tensor]:
    return tuple(
        (scale * torch.randn(3, width, dtype=torch.float64)).requires_grad_() for width in (20, 5)
    )


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
def test_values_and_gradients_are_those_of_the_formula(scale: float) -> None:
    sums_BG, cell_BH = leaves(scale)
    torch.testing.assert_close(
        outcome(joined(sums_BG, cell_BH), [sums_BG, cell_BH]),
        outcome(plain(sums_BG, cell_BH), [sums_BG, cell_BH]),
    )


@pytest.mark.parametrize("part", [0, 1])
def test_one_of_both_results_may_stand_alone_in_a_loss(part: int) -> None:
    sums_BG, cell_BH = leaves()
    torch.testing.assert_close(
        outcome([joined(sums_BG, cell_BH)[part]], [sums_BG, cell_BH]),
        outcome([plain(sums_BG, cell_BH)[part]], [sums_BG, cell_BH]),
    )


def test_the_gradient_is_that_by_differences() -> None:
    assert torch.autograd.gradcheck(joined, leaves())


def test_narrow_sums_give_wide_results_and_a_narrow_gradient() -> None:
    sums_BG, cell_BH = (leaf.detach().float().requires_grad_() for leaf in leaves())
    narrow_BG = sums_BG.detach().bfloat16().requires_grad_()
    rough = outcome(joined(narrow_BG, cell_BH), [narrow_BG, cell_BH])
    exact = outcome(joined(narrow_BG.float(), cell_BH), [narrow_BG, cell_BH])
    assert [part.dtype for part in rough] == [torch.float32] * 2 + [torch.bfloat16, torch.float32]
    torch.testing.assert_close(rough, exact)


def test_its_inputs_stay_as_they_are() -> None:
    sums_BG, cell_BH = leaves()
    before = [sums_BG.detach().clone(), cell_BH.detach().clone()]
    outcome(joined(sums_BG, cell_BH), [sums_BG, cell_BH])
    assert torch.equal(sums_BG, before[0])
    assert torch.equal(cell_BH, before[1])


def test_gates_that_are_far_open_or_shut_give_no_nan() -> None:
    sums_BG = torch.tensor([[1e4, -1e4, 1e4, 1e4]], requires_grad=True)
    cell_BH = torch.tensor([[3.0]], requires_grad=True)
    hidden_BH, new_BH = joined(sums_BG, cell_BH)
    assert new_BH.item() == 1
    assert hidden_BH.item() == pytest.approx(torch.tensor(1.0).tanh().item())
    for gradient in torch.autograd.grad(hidden_BH.sum(), [sums_BG, cell_BH]):
        assert (gradient == 0).all()
