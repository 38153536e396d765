"""What the layers of every cell keep to: the fast path, the loop and single steps are one."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from seqcli.nn.cells import CELLS, RecurrentLayer, State
from seqcli.nn.masks import Reading
from tests.nn.outcomes import assert_reached, outcome
from tests.nn.padding import mask_of
from tests.nn.ways import LOOP, WAYS, running

INPUT, HIDDEN, STEPS = 5, 4, 6
LENGTHS = [6, 1, 4]
READINGS = [None, Reading(mask_of(LENGTHS)), Reading(mask_of(LENGTHS), with_state=True)]

each_cell = pytest.mark.parametrize("name", CELLS)
each_reading = pytest.mark.parametrize("reading", READINGS, ids=["none", "stateless", "stateful"])


def build(name: str, *, state_dropout: float = 0.0) -> RecurrentLayer:
    """A layer in float64 all of whose parameters are random, norms and biases included."""
    layer = CELLS[name](input_size=INPUT, hidden_size=HIDDEN, state_dropout=state_dropout).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def random_inputs(steps: int = STEPS) -> Tensor:
    return torch.randn(3, steps, INPUT, dtype=torch.float64, requires_grad=True)


def random_state(layer: RecurrentLayer) -> State:
    return tuple(
        torch.randn(3, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in layer.state_names
    )


def by_steps(
    layer: RecurrentLayer, inputs_BSE: Tensor, state: State, mask_BH: Tensor | None = None
) -> tuple[Tensor, list[State]]:
    """States and whole state of each step, by the layer's gates and update alone."""
    mask_BH = torch.ones_like(state[0]) if mask_BH is None else mask_BH
    states = []
    for inputs_BE in inputs_BSE.unbind(1):
        products_BG = layer.prepare(linear(inputs_BE, *layer.input_weights()))
        recurrent_BG = linear(state[0] * mask_BH, *layer.recurrent_weights())
        state = layer.update(layer.gates(products_BG, recurrent_BG, state), state)
        states.append(state)
    return torch.stack([hidden_BH for hidden_BH, *_ in states], dim=1), states


@each_cell
@each_reading
def test_all_ways_give_the_same_values_and_gradients(name: str, reading: Reading | None) -> None:
    layer = build(name)
    inputs_BSE, state = random_inputs(), random_state(layer)
    leaves = [inputs_BSE, *state, *layer.parameters()]
    outcomes = []
    for way in WAYS:
        with running(layer, way) as run:
            states_BSH, last = run(inputs_BSE, state, reading)
        real_BSH = states_BSH if reading is None else states_BSH[reading.mask_BS]
        told = reading is None or reading.with_state  # else the last state is meaningless
        outcomes.append(outcome([real_BSH, *(last if told else ())], leaves))
    for found in outcomes[1:]:
        torch.testing.assert_close(found, outcomes[0])


@each_cell
def test_a_layer_is_its_gates_and_update_step_by_step(name: str) -> None:
    layer = build(name)
    inputs_BSE, state = random_inputs(), random_state(layer)
    leaves = [inputs_BSE, *state, *layer.parameters()]
    states_BSH, last = layer(inputs_BSE, state)
    stepped_BSH, stepped = by_steps(layer, inputs_BSE, state)
    torch.testing.assert_close(
        outcome([states_BSH, *last], leaves), outcome([stepped_BSH, *stepped[-1]], leaves)
    )


@each_cell
def test_a_step_is_its_gates_and_update(name: str) -> None:
    layer = build(name)
    state = random_state(layer)
    width = len(layer.input_weights()[0])
    products_BG, recurrent_BG = (torch.randn(3, width, dtype=torch.float64) for _ in range(2))
    torch.testing.assert_close(
        layer.step(products_BG, recurrent_BG, state),
        layer.update(layer.gates(products_BG, recurrent_BG, state), state),
    )


@each_cell
def test_the_gradient_of_the_loop_is_that_by_differences(name: str) -> None:
    layer = CELLS[name](input_size=2, hidden_size=3).double()
    inputs_BSE, *state = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 2), *[(2, 3)] * len(layer.state_names))
    )

    # the parameters are arguments only so that gradcheck moves them
    def run(inputs_BSE: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        with running(layer, LOOP) as loop:
            states_BSH, last = loop(inputs_BSE, others[: len(state)])
        return states_BSH, *last

    assert torch.autograd.gradcheck(run, (inputs_BSE, *state, *layer.parameters()))


@each_cell
def test_without_a_state_a_layer_starts_from_zero(name: str) -> None:
    layer = build(name)
    inputs_BSE = random_inputs()
    zero = tuple(torch.zeros_like(part) for part in random_state(layer))
    for way in WAYS:
        with running(layer, way) as run:
            torch.testing.assert_close(run(inputs_BSE), run(inputs_BSE, zero))


@each_cell
def test_the_last_state_is_that_after_the_last_real_token(name: str) -> None:
    layer = build(name)
    inputs_BSE, state = random_inputs(), random_state(layer)
    _, states = by_steps(layer, inputs_BSE, state)
    _, last = layer(inputs_BSE, state, READINGS[2])
    for row, length in enumerate(LENGTHS):
        expected = [part[row] for part in states[length - 1]]
        torch.testing.assert_close([part[row] for part in last], expected)
    torch.testing.assert_close(layer(inputs_BSE, state)[1], states[-1])


@each_cell
def test_the_second_half_goes_on_from_the_state_of_the_first(name: str) -> None:
    layer = build(name)
    inputs_BSE, state = random_inputs(), random_state(layer)
    whole_BSH, whole_last = layer(inputs_BSE, state)
    first_BSH, middle = layer(inputs_BSE[:, :2], state)
    second_BSH, last = layer(inputs_BSE[:, 2:], middle)
    leaves = [inputs_BSE, *state, *layer.parameters()]
    torch.testing.assert_close(
        outcome([torch.cat([first_BSH, second_BSH], dim=1), *last], leaves),
        outcome([whole_BSH, *whole_last], leaves),
    )


@each_cell
def test_state_dropout_is_one_mask_for_all_steps(name: str) -> None:
    layer = build(name, state_dropout=0.5)
    inputs_BSE, state = random_inputs(), random_state(layer)
    torch.manual_seed(3)
    mask_BH = layer.state_dropout.mask_for(state[0])
    assert set(mask_BH.unique().tolist()) == {0, 2}
    torch.manual_seed(3)
    states_BSH, last = layer(inputs_BSE, state)
    masked_BSH, masked = by_steps(layer, inputs_BSE, state, mask_BH)
    leaves = [inputs_BSE, *state, *layer.parameters()]
    torch.testing.assert_close(
        outcome([states_BSH, *last], leaves), outcome([masked_BSH, *masked[-1]], leaves)
    )
    assert not torch.equal(layer(inputs_BSE, state)[0], states_BSH)  # a new mask for each call


@each_cell
def test_no_state_is_dropped_in_evaluation(name: str) -> None:
    layer = build(name, state_dropout=0.5).eval()
    inputs_BSE, state = random_inputs(), random_state(layer)
    stepped_BSH, _ = by_steps(layer, inputs_BSE, state)
    torch.testing.assert_close(layer(inputs_BSE, state)[0], stepped_BSH)


@each_cell
@each_reading
@pytest.mark.parametrize("state_dropout", [0.0, 1e-9])
def test_bfloat16_is_near_float32(name: str, reading: Reading | None, state_dropout: float) -> None:
    """A state dropout that drops nothing leaves torch's kernels."""
    layer = CELLS[name](input_size=32, hidden_size=16, state_dropout=state_dropout)
    inputs_BSE = torch.randn(3, STEPS, 32)
    leaves = list(layer.parameters())
    outcomes = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            states_BSH, last = layer(inputs_BSE, None, reading)
        outcomes.append(outcome([t.float() for t in (states_BSH, *last)], leaves))
    for exact, rough in zip(*outcomes, strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 0.1 * exact.norm()


@each_cell
def test_gradient_reaches_every_parameter(name: str) -> None:
    layer = build(name)
    layer(random_inputs())[0].square().sum().backward()
    assert_reached(list(layer.parameters()))


@each_cell
def test_gates_lie_where_their_functions_end(name: str) -> None:
    layer = build(name)
    state = random_state(layer)
    width = len(layer.input_weights()[0])
    products_BG, recurrent_BG = (9 * torch.randn(3, width, dtype=torch.float64) for _ in range(2))
    for gate, values_BH in layer.gates(products_BG, recurrent_BG, state).items():
        assert values_BH.shape == (3, HIDDEN)
        if gate != "candidate":
            assert ((values_BH >= 0) & (values_BH <= 1)).all()


@each_cell
@pytest.mark.parametrize("input_size", [HIDDEN, 3 * HIDDEN])
def test_initial_weights_are_orthogonal_and_bounded(name: str, input_size: int) -> None:
    layer = CELLS[name](input_size=input_size, hidden_size=HIDDEN)
    for gate_HH in layer.recurrent_weights()[0].detach().split(HIDDEN):
        torch.testing.assert_close(gate_HH @ gate_HH.T, torch.eye(HIDDEN))
    assert layer.input_weights()[0].abs().max() <= (6 / (input_size + HIDDEN)) ** 0.5


@each_cell
def test_initial_biases_are_zero_but_for_an_open_forget_gate(name: str) -> None:
    layer = CELLS[name](input_size=INPUT, hidden_size=HIDDEN)
    state = layer.zero_state(torch.zeros(1, 1, INPUT))
    products_BG = layer.prepare(linear(torch.zeros(1, INPUT), *layer.input_weights()))
    recurrent_BG = linear(state[0], *layer.recurrent_weights())
    for gate, values_BH in layer.gates(products_BG, recurrent_BG, state).items():
        before = 1.0 if gate == "forget" else 0.0
        squash = torch.tanh if gate == "candidate" else torch.sigmoid
        torch.testing.assert_close(values_BH, squash(torch.full((1, HIDDEN), before)))


@each_cell
def test_no_kernel_of_torch_is_named_where_states_are_dropped(name: str) -> None:
    for device_type in ("cpu", "cuda"):
        assert build(name, state_dropout=0.1).kernel(device_type) in {"steps", "lstm_sequence"}
