"""What every reading direction keeps to, with every cell."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqcli.nn.cells import CELLS, State
from seqcli.nn.masks import Reading
from seqcli.nn.recurrent import DIRECTIONS
from tests.nn.outcomes import assert_reached, outcome
from tests.nn.padding import mask_of

INPUT, HIDDEN, STEPS = 5, 4, 6
LENGTHS = [6, 1, 4]
MASK_BS = mask_of(LENGTHS)

each_direction = pytest.mark.parametrize("direction", DIRECTIONS)
each_cell = pytest.mark.parametrize("cell", CELLS)


def build(direction: str, cell: str, *, state_dropout: float = 0.0) -> nn.Module:
    layer = DIRECTIONS[direction](
        lambda: CELLS[cell](input_size=INPUT, hidden_size=HIDDEN, state_dropout=state_dropout)
    ).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def random_inputs() -> Tensor:
    return torch.randn(3, STEPS, INPUT, dtype=torch.float64, requires_grad=True)


def read_alone(layer: nn.Module, inputs_BSE: Tensor, row: int) -> tuple[Tensor, State]:
    """The states and the last state of one row, in a batch of its own without padding."""
    length = LENGTHS[row]
    reading = Reading(torch.ones(1, length, dtype=torch.bool), with_state=True)
    return layer(inputs_BSE[row : row + 1, :length], None, reading)


@each_direction
@each_cell
@pytest.mark.parametrize("with_state", [False, True])
def test_a_batch_is_each_row_alone_in_values_and_gradients(
    direction: str, cell: str, with_state: bool
) -> None:
    """So padding adds nothing to the gradient of a parameter, whatever stands in it."""
    layer = build(direction, cell)
    inputs_BSE = random_inputs()
    junk_BSE = inputs_BSE.masked_fill(~MASK_BS.unsqueeze(2), 7.0)
    states_BSH, last = layer(junk_BSE, None, Reading(MASK_BS, with_state))
    alone = [read_alone(layer, inputs_BSE, row) for row in range(3)]
    rows = [states_BSH[MASK_BS]]
    rows_alone = [torch.cat([states_1SH[0] for states_1SH, _ in alone])]
    if with_state:
        rows += last
        rows_alone += [
            torch.cat(parts) for parts in zip(*(state for _, state in alone), strict=True)
        ]
    leaves = [inputs_BSE, *layer.parameters()]
    torch.testing.assert_close(outcome(rows, leaves), outcome(rows_alone, leaves))


@each_direction
@each_cell
def test_dropping_no_state_is_the_kernel(direction: str, cell: str) -> None:
    layer = build(direction, cell, state_dropout=1e-9)
    inputs_BSE, reading = random_inputs(), Reading(MASK_BS, with_state=True)
    looped_BSH, looped_last = layer(inputs_BSE, None, reading)
    with torch.no_grad():  # where torch's kernels are taken
        states_BSH, last = layer.eval()(inputs_BSE, None, reading)
    torch.testing.assert_close(looped_BSH[MASK_BS], states_BSH[MASK_BS])
    torch.testing.assert_close(looped_last, last)


@each_direction
@each_cell
def test_gradient_reaches_every_parameter_and_real_input(direction: str, cell: str) -> None:
    layer = build(direction, cell)
    if cell == "rnn-relu":  # where no unit is shut off
        for parameter in layer.parameters():
            parameter.data.abs_()
    inputs_BSE = torch.rand(3, STEPS, INPUT, dtype=torch.float64, requires_grad=True)
    states_BSH, _ = layer(inputs_BSE, None, Reading(MASK_BS))
    states_BSH[MASK_BS].square().sum().backward()
    assert_reached(list(layer.parameters()))
    assert torch.equal(inputs_BSE.grad.abs().sum(2) > 0, MASK_BS)


@each_cell
def test_backward_is_forward_on_the_reversed_text(cell: str) -> None:
    layer = build("backward", cell)
    inputs_BSE = random_inputs()
    states_BSH, last = layer(inputs_BSE, None, Reading(MASK_BS, with_state=True))
    for row, length in enumerate(LENGTHS):
        reversed_1SE = inputs_BSE[row : row + 1, :length].flip(1)
        backward_1SH, backward_last = layer.backwards(reversed_1SE)
        torch.testing.assert_close(states_BSH[row, :length], backward_1SH[0].flip(0))
        for part_BH, expected_1H in zip(last, backward_last, strict=True):
            torch.testing.assert_close(part_BH[row], expected_1H[0])


@each_cell
def test_bidirectional_is_two_runs_on_the_text_and_the_reversed_text(cell: str) -> None:
    layer = build("bidirectional", cell)
    inputs_BSE = random_inputs()
    states_BSH, last = layer(inputs_BSE, None, Reading(MASK_BS, with_state=True))
    for row, length in enumerate(LENGTHS):
        text_1SE = inputs_BSE[row : row + 1, :length]
        forward_1SH, forward_last = layer.forwards(text_1SE)
        backward_1SH, backward_last = layer.backwards(text_1SE.flip(1))
        alone_1SH = torch.cat([forward_1SH, backward_1SH.flip(1)], dim=2)
        torch.testing.assert_close(states_BSH[row, :length], alone_1SH[0])
        for part_BH, *two in zip(last, forward_last, backward_last, strict=True):
            torch.testing.assert_close(part_BH[row], torch.cat(two, dim=1)[0])


@pytest.mark.parametrize("cell", ["rnn-tanh", "gru", "lstm"])
def test_bidirectional_equals_the_packed_layer_of_torch(cell: str) -> None:
    layer = build("bidirectional", cell)
    kind = {"rnn-tanh": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    twin = kind(INPUT, HIDDEN, batch_first=True, bidirectional=True).double()
    backwards = layer.backwards.module.state_dict().items()
    twin.load_state_dict(
        {
            **layer.forwards.module.state_dict(),
            **{f"{name}_reverse": weight for name, weight in backwards},
        }
    )
    inputs_BSE = random_inputs()
    packed = pack_padded_sequence(inputs_BSE, LENGTHS, batch_first=True, enforce_sorted=False)
    packed_states, packed_last = twin(packed)
    theirs_BSH, _ = pad_packed_sequence(packed_states, batch_first=True)
    their_parts = packed_last if isinstance(packed_last, tuple) else (packed_last,)
    theirs = [theirs_BSH[MASK_BS], *(torch.cat([*part_2BH], dim=1) for part_2BH in their_parts)]
    states_BSH, last = layer(inputs_BSE, None, Reading(MASK_BS, with_state=True))
    torch.testing.assert_close(
        outcome([states_BSH[MASK_BS], *last], [inputs_BSE, *layer.parameters()]),
        outcome(theirs, [inputs_BSE, *twin.parameters()]),
    )


@pytest.mark.parametrize("direction", ["forward", "backward"])
@each_cell
def test_one_direction_starts_from_a_state(direction: str, cell: str) -> None:
    layer = build(direction, cell)
    inputs_BSE = random_inputs()
    reading = Reading(mask_of([STEPS] * 3), with_state=True)
    halves = [inputs_BSE[:, :2], inputs_BSE[:, 2:]]
    if direction == "backward":
        halves.reverse()
    whole_BSH, whole_last = layer(inputs_BSE, None, reading)
    state, states = None, []
    for half_BSE in halves:
        half_BSH, state = layer(half_BSE, state, Reading(mask_of([half_BSE.shape[1]] * 3)))
        states.append(half_BSH)
    if direction == "backward":
        states.reverse()
    torch.testing.assert_close(torch.cat(states, dim=1), whole_BSH)
    torch.testing.assert_close(state, whole_last)


def test_both_directions_cannot_start_from_a_state() -> None:
    layer = build("bidirectional", "gru")
    state = (torch.zeros(3, HIDDEN, dtype=torch.float64),)
    with pytest.raises(ValueError, match="cannot start from a state"):
        layer(random_inputs(), state, Reading(MASK_BS))
