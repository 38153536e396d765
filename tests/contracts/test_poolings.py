"""What every pooling of the table keeps to."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.heads import POOLINGS, Pooling
from seqcli.nn.recurrent import DIRECTIONS
from tests.nn.outcomes import assert_reached
from tests.nn.padding import mask_of

WIDTH = 6
LENGTHS = [5, 1, 3]
MASK_BS = mask_of(LENGTHS, padding=2)

each_pooling = pytest.mark.parametrize("name", POOLINGS)
each_direction = pytest.mark.parametrize("direction", DIRECTIONS)


def build(name: str, direction: str = "bidirectional") -> Pooling:
    return POOLINGS[name](size=WIDTH, direction=direction).double()


def random_states() -> Tensor:
    """States that are zero in padding, as an encoder gives them."""
    states_BSH = torch.randn(*MASK_BS.shape, WIDTH, dtype=torch.float64)
    return (states_BSH * MASK_BS.unsqueeze(2)).requires_grad_()


@each_pooling
@each_direction
def test_a_row_of_a_padded_batch_gives_what_it_gives_alone(name: str, direction: str) -> None:
    pooling, states_BSH = build(name, direction), random_states()
    vectors_BH = pooling(states_BSH, MASK_BS)
    assert vectors_BH.shape == (len(LENGTHS), WIDTH)
    for row, length in enumerate(LENGTHS):
        alone_1SH, real_1S = states_BSH[row : row + 1, :length], MASK_BS[row : row + 1, :length]
        torch.testing.assert_close(pooling(alone_1SH, real_1S), vectors_BH[row : row + 1])


@each_pooling
def test_what_stands_in_padding_makes_no_difference(name: str) -> None:
    pooling, states_BSH = build(name), random_states()
    other_BSH = states_BSH.where(MASK_BS.unsqueeze(2), 1e3)
    torch.testing.assert_close(pooling(other_BSH, MASK_BS), pooling(states_BSH, MASK_BS))


@each_pooling
def test_each_value_lies_between_those_of_the_tokens(name: str) -> None:
    states_BSH = random_states()
    vectors_BH = build(name)(states_BSH, MASK_BS)
    for row, length in enumerate(LENGTHS):
        real_SH = states_BSH[row, :length]
        assert (vectors_BH[row] <= real_SH.amax(0) + 1e-9).all()
        assert (vectors_BH[row] >= real_SH.amin(0) - 1e-9).all()


@each_pooling
def test_gradient_is_right_and_reaches_every_parameter(name: str) -> None:
    pooling, states_BSH = build(name), random_states()
    assert torch.autograd.gradcheck(lambda states: pooling(states, MASK_BS), states_BSH)
    pooling(states_BSH, MASK_BS).square().sum().backward()
    assert_reached(list(pooling.parameters()))
    assert states_BSH.grad is not None
    assert (states_BSH.grad[~MASK_BS] == 0).all()
