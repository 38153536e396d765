"""How plain and residual stacks join their layers; what all stacks keep to is in contracts/."""

import pytest
import torch

from seqcli.nn.stacks.plain import PlainStack
from seqcli.nn.stacks.residual import ResidualStack

WIDTH = 6

each_input_size = pytest.mark.parametrize("input_size", [WIDTH, WIDTH + 1])


@each_input_size
def test_a_plain_stack_is_its_layers_one_after_the_other(input_size: int) -> None:
    stack = PlainStack(input_size=input_size, hidden_size=WIDTH, num_layers=3)
    below_BTH = inputs_BTE = torch.randn(2, 5, input_size)
    for layer in stack.layers:
        below_BTH, _ = layer(below_BTH)
    torch.testing.assert_close(stack.advance(inputs_BTE)[0], below_BTH)


@each_input_size
def test_a_residual_stack_adds_what_a_layer_read_where_the_widths_agree(input_size: int) -> None:
    stack = ResidualStack(input_size=input_size, hidden_size=WIDTH, num_layers=3)
    below_BTH = inputs_BTE = torch.randn(2, 5, input_size)
    for layer in stack.layers:
        states_BTH, _ = layer(below_BTH)
        below_BTH = below_BTH + states_BTH if below_BTH.shape[2] == WIDTH else states_BTH
    torch.testing.assert_close(stack.advance(inputs_BTE)[0], below_BTH)


def test_a_bidirectional_residual_stack_adds_from_the_second_layer_on() -> None:
    stack = ResidualStack(input_size=3, hidden_size=WIDTH, num_layers=2, bidirectional=True)
    inputs_BSE, mask_BS = torch.randn(2, 5, 3), torch.ones(2, 5, dtype=torch.bool)
    first_BSH = stack.layers[0](inputs_BSE, mask_BS)
    expected_BSH = first_BSH + stack.layers[1](first_BSH, mask_BS)
    torch.testing.assert_close(stack.encode(inputs_BSE, mask_BS), expected_BSH)


def test_dropout_stands_between_layers_only() -> None:
    inputs_BTE = torch.randn(2, 5, WIDTH)
    alone = PlainStack(input_size=WIDTH, hidden_size=WIDTH, num_layers=1, dropout=0.5)
    assert torch.equal(alone.advance(inputs_BTE)[0], alone.eval().advance(inputs_BTE)[0])
    severed = PlainStack(input_size=WIDTH, hidden_size=WIDTH, num_layers=2, dropout=1.0)
    expected_BTH, _ = severed.layers[1](torch.zeros(2, 5, WIDTH))
    torch.testing.assert_close(severed.advance(inputs_BTE)[0], expected_BTH)
