"""What a stack of every wiring keeps to, in every direction and with every cell."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.cells import CELLS
from seqcli.nn.masks import Reading
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stack import Stack
from seqcli.nn.stacks import STACKS
from tests.nn.outcomes import assert_reached, outcome
from tests.nn.padding import mask_of

INPUT, HIDDEN, STEPS = 3, 4, 6
LENGTHS = [6, 1, 4]
MASK_BS = mask_of(LENGTHS)

each_stack = pytest.mark.parametrize("name", STACKS)
each_direction = pytest.mark.parametrize("direction", DIRECTIONS)
each_cell = pytest.mark.parametrize("cell", CELLS)
each_projection = pytest.mark.parametrize("projection", [False, True])


def build(
    name: str,
    *,
    cell: str = "lstm",
    direction: str = "forward",
    num_layers: int = 3,
    projection: bool = False,
    dropout: float = 0.0,
) -> Stack:
    return Stack(
        input_size=INPUT,
        hidden_size=HIDDEN,
        num_layers=num_layers,
        cell=cell,
        direction=direction,
        kind=name,
        projection=projection,
        dropout=dropout,
    ).double()


def random_inputs() -> Tensor:
    return torch.randn(3, STEPS, INPUT, dtype=torch.float64, requires_grad=True)


@each_stack
@each_direction
@each_cell
def test_states_are_as_wide_as_said(name: str, direction: str, cell: str) -> None:
    stack = build(name, direction=direction, cell=cell)
    states_BSH, last = stack(random_inputs(), None, Reading(MASK_BS, with_state=True))
    assert stack.output_size == HIDDEN * (1 + (direction == "bidirectional"))
    assert states_BSH.shape == (3, STEPS, stack.output_size)
    assert len(last) == 3
    for state in last:
        assert [part.shape for part in state] == [(3, stack.output_size)] * len(stack.state_names)


@each_stack
@each_direction
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@each_projection
def test_a_batch_is_each_row_alone_in_values_and_gradients(
    name: str, direction: str, cell: str, projection: bool
) -> None:
    """So padding adds nothing to the gradient of a parameter, whatever stands in it."""
    stack = build(name, direction=direction, cell=cell, projection=projection)
    inputs_BSE = random_inputs()
    junk_BSE = inputs_BSE.masked_fill(~MASK_BS.unsqueeze(2), 7.0)
    states_BSH, last = stack(junk_BSE, None, Reading(MASK_BS, with_state=True))
    rows, lasts = [], []
    for row, length in enumerate(LENGTHS):
        whole = Reading(torch.ones(1, length, dtype=torch.bool), with_state=True)
        alone_1SH, alone_last = stack(inputs_BSE[row : row + 1, :length], None, whole)
        rows.append(alone_1SH[0])
        lasts.append([part for state in alone_last for part in state])
    leaves = [inputs_BSE, *stack.parameters()]
    torch.testing.assert_close(
        outcome([states_BSH[MASK_BS], *(part for state in last for part in state)], leaves),
        outcome(
            [torch.cat(rows), *(torch.cat(parts) for parts in zip(*lasts, strict=True))], leaves
        ),
    )


@each_stack
@each_direction
@pytest.mark.parametrize(("num_layers", "projection"), [(1, False), (3, True), (16, False)])
def test_gradient_reaches_every_parameter_and_real_input(
    name: str, direction: str, num_layers: int, projection: bool
) -> None:
    stack = build(name, direction=direction, projection=projection, num_layers=num_layers)
    inputs_BSE = random_inputs()
    states_BSH, _ = stack(inputs_BSE, None, Reading(MASK_BS))
    states_BSH[MASK_BS].square().sum().backward()
    assert_reached(list(stack.parameters()))
    assert torch.equal(inputs_BSE.grad.abs().sum(2) > 0, MASK_BS)


@each_stack
@each_cell
@each_projection
def test_reading_token_by_token_is_reading_at_once(name: str, cell: str, projection: bool) -> None:
    stack = build(name, cell=cell, projection=projection)
    inputs_BTE = random_inputs()
    whole_BTH, whole_state = stack(inputs_BTE)
    steps, state = [], None
    for inputs_B1E in inputs_BTE.split(1, dim=1):
        states_B1H, state = stack(inputs_B1E, state)
        steps.append(states_B1H)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole_BTH)
    torch.testing.assert_close(state, whole_state)
    read_BTH, _ = stack(inputs_BTE, None, Reading(MASK_BS))
    torch.testing.assert_close(read_BTH[MASK_BS], whole_BTH[MASK_BS])


@each_stack
def test_one_direction_never_looks_ahead(name: str) -> None:
    stack = build(name)
    inputs_BTE = random_inputs().detach()
    states_BTH, _ = stack(inputs_BTE)
    inputs_BTE[:, 3:] += 1
    changed_BTH, _ = stack(inputs_BTE)
    assert torch.equal(changed_BTH[:, :3], states_BTH[:, :3])
    assert not torch.equal(changed_BTH[:, 3:], states_BTH[:, 3:])


@each_stack
@each_direction
def test_dropout_acts_in_training_and_not_in_evaluation(name: str, direction: str) -> None:
    stack = build(name, direction=direction, dropout=0.5)
    plain = build(name, direction=direction)
    plain.load_state_dict(stack.state_dict())
    inputs_BSE, reading = random_inputs(), Reading(MASK_BS)
    assert not torch.equal(stack(inputs_BSE, None, reading)[0], stack(inputs_BSE, None, reading)[0])
    stack.eval()
    torch.testing.assert_close(
        stack(inputs_BSE, None, reading)[0], plain(inputs_BSE, None, reading)[0]
    )


@each_stack
@each_cell
@each_direction
def test_bfloat16_is_near_float32(name: str, cell: str, direction: str) -> None:
    stack = build(name, cell=cell, direction=direction, projection=True).float()
    inputs_BSE, reading = random_inputs().detach().float(), Reading(MASK_BS, with_state=True)
    exact_BSH, _ = stack(inputs_BSE, None, reading)
    with torch.autocast("cpu", torch.bfloat16):
        rough_BSH, _ = stack(inputs_BSE, None, reading)
    difference_NH = (rough_BSH.float() - exact_BSH)[MASK_BS]
    assert difference_NH.norm() < 0.1 * exact_BSH[MASK_BS].norm()
