"""What every stack of the table keeps to, in one direction and in both."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.stacks import STACKS
from seqcli.nn.stacks.plain import PlainStack
from tests.nn.padding import mask_of

INPUT, HIDDEN, STEPS = 3, 4, 6
MASK_BS = mask_of([6, 1, 4])

each_stack = pytest.mark.parametrize("name", STACKS)
each_direction = pytest.mark.parametrize("bidirectional", [False, True])


def build(name: str, *, bidirectional: bool, dropout: float = 0.0) -> PlainStack:
    stack = STACKS[name](
        input_size=INPUT,
        hidden_size=HIDDEN,
        num_layers=3,
        dropout=dropout,
        bidirectional=bidirectional,
    )
    return stack.double()


def random_inputs() -> Tensor:
    return torch.randn(3, STEPS, INPUT, dtype=torch.float64)


@each_stack
@each_direction
def test_states_are_as_wide_as_said(name: str, bidirectional: bool) -> None:
    stack = build(name, bidirectional=bidirectional)
    assert stack.output_size == HIDDEN * (1 + bidirectional)
    assert stack.encode(random_inputs(), MASK_BS).shape == (3, STEPS, stack.output_size)


@each_stack
@each_direction
def test_padding_changes_no_state_of_a_real_token(name: str, bidirectional: bool) -> None:
    stack = build(name, bidirectional=bidirectional)
    inputs_BSE = random_inputs()
    other_BSE = inputs_BSE.masked_fill(~MASK_BS.unsqueeze(2), 1e3)
    states_BSH, others_BSH = stack.encode(inputs_BSE, MASK_BS), stack.encode(other_BSE, MASK_BS)
    assert torch.equal(states_BSH[MASK_BS], others_BSH[MASK_BS])


@each_stack
@each_direction
def test_a_batch_of_one_without_padding_is_a_row_of_the_batch(
    name: str, bidirectional: bool
) -> None:
    stack = build(name, bidirectional=bidirectional)
    inputs_BSE = random_inputs()
    states_BSH = stack.encode(inputs_BSE, MASK_BS)
    for row, length in enumerate(MASK_BS.sum(1).tolist()):
        alone_1SH = stack.encode(
            inputs_BSE[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
        )
        torch.testing.assert_close(states_BSH[row : row + 1, :length], alone_1SH)


@each_stack
@each_direction
def test_gradient_reaches_every_parameter_and_input(name: str, bidirectional: bool) -> None:
    stack = build(name, bidirectional=bidirectional)
    inputs_BSE = random_inputs().requires_grad_()
    stack.encode(inputs_BSE, MASK_BS)[MASK_BS].square().sum().backward()
    for parameter in stack.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    assert torch.equal(inputs_BSE.grad.abs().sum(2) > 0, MASK_BS)


@each_stack
def test_reading_token_by_token_is_reading_at_once(name: str) -> None:
    stack = build(name, bidirectional=False)
    inputs_BTE = random_inputs()
    whole_BTH, whole_state = stack.advance(inputs_BTE)
    steps, state = [], None
    for inputs_B1E in inputs_BTE.split(1, dim=1):
        states_B1H, state = stack.advance(inputs_B1E, state)
        steps.append(states_B1H)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole_BTH)
    torch.testing.assert_close(state, whole_state)
    torch.testing.assert_close(stack.encode(inputs_BTE, MASK_BS), whole_BTH)


@each_stack
def test_one_direction_never_looks_ahead(name: str) -> None:
    stack = build(name, bidirectional=False)
    inputs_BTE = random_inputs()
    states_BTH, _ = stack.advance(inputs_BTE)
    inputs_BTE[:, 3:] += 1
    changed_BTH, _ = stack.advance(inputs_BTE)
    assert torch.equal(changed_BTH[:, :3], states_BTH[:, :3])
    assert not torch.equal(changed_BTH[:, 3:], states_BTH[:, 3:])


@each_stack
@each_direction
def test_dropout_acts_in_training_and_not_in_evaluation(name: str, bidirectional: bool) -> None:
    stack = build(name, bidirectional=bidirectional, dropout=0.5)
    inputs_BSE = random_inputs()
    assert not torch.equal(stack.encode(inputs_BSE, MASK_BS), stack.encode(inputs_BSE, MASK_BS))
    stack.eval()
    assert torch.equal(stack.encode(inputs_BSE, MASK_BS), stack.encode(inputs_BSE, MASK_BS))
