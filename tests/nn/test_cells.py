"""The cells against the equations of their papers, numbers made by hand, and torch's own layers."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
import torch
from torch import nn

from seqcli.nn.cells import CELLS, LSTMLayer, RecurrentLayer, State
from tests.nn.outcomes import outcome
from tests.nn.ways import WAYS, running

INPUT, HIDDEN, STEPS = 5, 4, 6

Weights = dict[str, np.ndarray]
Numbers = tuple[np.ndarray, ...]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def layer_norm(values: np.ndarray, gain: np.ndarray, bias: np.ndarray | float = 0) -> np.ndarray:
    """Ba et al. (2016), equation 4; torch adds 1e-5 to the variance."""
    centred = values - values.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain + bias


def both_products(x: np.ndarray, h: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    return (
        x @ w["weight_ih_l0"].T + w["bias_ih_l0"],
        h @ w["weight_hh_l0"].T + w["bias_hh_l0"],
    )


def tanh_rnn(x: np.ndarray, state: Numbers, w: Weights) -> Numbers:
    return (np.tanh(sum(both_products(x, state[0], w))),)


def relu_rnn(x: np.ndarray, state: Numbers, w: Weights) -> Numbers:
    return (np.maximum(sum(both_products(x, state[0], w)), 0),)


def gru(x: np.ndarray, state: Numbers, w: Weights) -> Numbers:
    """Cho et al. (2014), equations 5 to 8, with the reset gate after the product."""
    of_input, of_state = (np.split(t, 3, axis=1) for t in both_products(x, state[0], w))
    reset, update = (sigmoid(a + b) for a, b in zip(of_input[:2], of_state[:2], strict=True))
    candidate = np.tanh(of_input[2] + reset * of_state[2])
    return (update * state[0] + (1 - update) * candidate,)


def lstm(x: np.ndarray, state: Numbers, w: Weights) -> Numbers:
    """Gers et al. (2000)."""
    enter, forget, candidate, leave = np.split(sum(both_products(x, state[0], w)), 4, axis=1)
    cell = sigmoid(forget) * state[1] + sigmoid(enter) * np.tanh(candidate)
    return sigmoid(leave) * np.tanh(cell), cell


def layer_norm_lstm(x: np.ndarray, state: Numbers, w: Weights) -> Numbers:
    """Ba et al. (2016), equations 20 to 22."""
    hidden, cell = state
    sums = layer_norm(
        hidden @ w["recurrent_projection.weight"].T, w["recurrent_norm.weight"]
    ) + layer_norm(x @ w["input_projection.weight"].T, w["input_norm.weight"], w["input_norm.bias"])
    enter, forget, candidate, leave = np.split(sums, 4, axis=1)
    cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
    read = layer_norm(cell, w["cell_norm.weight"], w["cell_norm.bias"])
    return sigmoid(leave) * np.tanh(read), cell


EQUATIONS: dict[str, Callable[[np.ndarray, Numbers, Weights], Numbers]] = {
    "rnn-tanh": tanh_rnn,
    "rnn-relu": relu_rnn,
    "gru": gru,
    "lstm": lstm,
    "layer-norm-lstm": layer_norm_lstm,
}


def build(name: str) -> RecurrentLayer:
    layer = CELLS[name](input_size=INPUT, hidden_size=HIDDEN).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def random_state(layer: RecurrentLayer) -> State:
    return tuple(torch.randn(3, HIDDEN, dtype=torch.float64) for _ in layer.state_names)


@pytest.mark.parametrize("name", CELLS)
def test_a_step_follows_the_equations_of_its_paper(name: str) -> None:
    layer = build(name)
    inputs_B1E = torch.randn(3, 1, INPUT, dtype=torch.float64)
    state = random_state(layer)
    module = getattr(layer, "module", layer)
    weights = {key: value.detach().numpy() for key, value in module.named_parameters()}
    expected = EQUATIONS[name](
        inputs_B1E[:, 0].numpy(), tuple(part.numpy() for part in state), weights
    )
    for run in (layer.forward, RecurrentLayer.forward.__get__(layer)):
        states_B1H, last = run(inputs_B1E, state)
        torch.testing.assert_close([*last], [torch.from_numpy(part) for part in expected])
        assert torch.equal(states_B1H[:, 0], last[0])


# sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2, tanh(ln 2) = 3/5
STRONG, WEAK, HALF, UP = log(3), -log(3), 0.0, log(2)


class TestByHand:
    """One unit that reads 1 from a state of 1: the sums inside are those of the two weights."""

    def step(self, name: str, weights: list[list[float]], state: list[float]) -> list[float]:
        """Input weights, recurrent weights; the biases are zero."""
        layer = CELLS[name](input_size=1, hidden_size=1).double()
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
        for (weight_GX, _), column in zip(
            (layer.input_weights(), layer.recurrent_weights()), weights, strict=True
        ):
            weight_GX.data[:, 0] = torch.tensor(column)
        one_11E = torch.ones(1, 1, 1, dtype=torch.float64)
        _, last = layer(one_11E, tuple(torch.tensor([[part]]).double() for part in state))
        return [part.item() for part in last]

    def test_rnn(self) -> None:
        assert self.step("rnn-tanh", [[UP - 1], [1]], [1]) == pytest.approx([3 / 5])
        assert self.step("rnn-relu", [[2], [-0.5]], [1]) == pytest.approx([1.5])
        assert self.step("rnn-relu", [[2], [-3]], [1]) == [0]

    def test_gru(self) -> None:
        # reset 3/4, update 1/4, candidate tanh(ln 2 - 3/4 + 3/4 * 1) = 3/5
        weights = [[STRONG - 1, WEAK + 1, UP - 0.75], [1, -1, 1]]
        assert self.step("gru", weights, [1]) == pytest.approx([3 / 4 * 3 / 5 + 1 / 4 * 1])

    def test_lstm(self) -> None:
        # input 3/4, forget 1/2, candidate 3/5, output 1/4; the old cell makes the new one ln 2
        weights = [[STRONG - 1, HALF + 1, UP - 1, WEAK + 1], [1, -1, 1, -1]]
        cell = 2 * log(2) - 2 * 3 / 4 * 3 / 5
        assert self.step("lstm", weights, [1, cell]) == pytest.approx([1 / 4 * 3 / 5, log(2)])


def test_layer_norm_lstm_by_hand() -> None:
    """Two units whose products are 1 and -1 in equal number, which their norms leave as they are.

    Each norm gives half of a sum by its gain: input 3/4, forget 1/2, output 1/4 in both units,
    candidate 3/5 and -3/5. From empty cells the new ones are 9/20 and -9/20, whose norm is 1 and
    -1, which the gain makes ln 2 and -ln 2.
    """
    layer = CELLS["layer-norm-lstm"](input_size=1, hidden_size=2).double()
    signs_G = torch.tensor([1.0, 1, -1, 1, 1, -1, -1, -1]).double()
    gains_G = torch.tensor([STRONG, STRONG, HALF, HALF, UP, UP, STRONG, STRONG]).double() / 2
    for norm in (layer.input_norm, layer.recurrent_norm):
        norm.weight.data, norm.eps = gains_G, 0
    nn.init.zeros_(layer.input_norm.bias)
    layer.cell_norm.weight.data[:], layer.cell_norm.eps = UP, 0
    layer.input_projection.weight.data[:, 0] = signs_G
    layer.recurrent_projection.weight.data = torch.stack([signs_G, 0 * signs_G], dim=1)
    state = (torch.tensor([[1.0, 5]]).double(), torch.zeros(1, 2).double())
    _, (hidden_BH, cell_BH) = layer(torch.ones(1, 1, 1).double(), state)
    assert cell_BH[0].tolist() == pytest.approx([9 / 20, -9 / 20])
    assert hidden_BH[0].tolist() == pytest.approx([1 / 4 * 3 / 5, -1 / 4 * 3 / 5])


THEIRS: dict[str, Callable[[], nn.RNNBase]] = {
    "rnn-tanh": lambda: nn.RNN(INPUT, HIDDEN, nonlinearity="tanh", batch_first=True),
    "rnn-relu": lambda: nn.RNN(INPUT, HIDDEN, nonlinearity="relu", batch_first=True),
    "gru": lambda: nn.GRU(INPUT, HIDDEN, batch_first=True),
    "lstm": lambda: nn.LSTM(INPUT, HIDDEN, batch_first=True),
}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("way", WAYS)
def test_a_whole_sequence_equals_the_layer_of_torch(name: str, way: str) -> None:
    layer = build(name)
    theirs = THEIRS[name]().double()
    theirs.load_state_dict(layer.module.state_dict())
    inputs_BSE = torch.randn(3, STEPS, INPUT, dtype=torch.float64, requires_grad=True)
    state = tuple(part.requires_grad_() for part in random_state(layer))
    with running(layer, way) as run:
        states_BSH, last = run(inputs_BSE, state)
    carried = tuple(part.unsqueeze(0) for part in state)
    theirs_BSH, their_last = theirs(inputs_BSE, carried if len(carried) > 1 else carried[0])
    their_parts = their_last if isinstance(their_last, tuple) else (their_last,)
    torch.testing.assert_close(
        outcome([states_BSH, *last], [inputs_BSE, *state, *layer.parameters()]),
        outcome(
            [theirs_BSH, *(part[0] for part in their_parts)],
            [inputs_BSE, *state, *theirs.parameters()],
        ),
    )


def test_padding_freezes_the_cell_whatever_the_weights_and_the_padding() -> None:
    """Also where gates are pushed hard the other way."""
    layer = build("lstm")
    for parameter in layer.parameters():
        parameter.data *= 20
    inputs_BSE = torch.randn(2, STEPS, INPUT, dtype=torch.float64)
    inputs_BSE[1, 2:] = 10
    mask_BS = torch.arange(STEPS) < torch.tensor([[STEPS], [2]])
    _, (_, expected_BH) = layer(inputs_BSE[1:, :2])
    carried = tuple(part.unsqueeze(0) for part in layer.zero_state(inputs_BSE))
    _, cell_BH = layer._run_frozen(inputs_BSE, carried, mask_BS)
    torch.testing.assert_close(cell_BH[1:], expected_BH)


def test_an_lstm_names_its_kernels() -> None:
    layer = LSTMLayer(input_size=INPUT, hidden_size=HIDDEN)
    assert layer.kernel("cuda") == "cuDNN"
    assert layer.kernel("cpu") == "oneDNN or lstm_sequence"
    dropped = LSTMLayer(input_size=INPUT, hidden_size=HIDDEN, state_dropout=0.1)
    assert dropped.kernel("cuda") == dropped.kernel("cpu") == "lstm_sequence"


@pytest.mark.parametrize(
    ("rows", "narrow", "is_one"), [(500, True, True), (2, True, False), (500, False, False)]
)
def test_large_steps_of_a_narrow_training_are_one_operation(
    monkeypatch: pytest.MonkeyPatch, rows: int, narrow: bool, is_one: bool
) -> None:
    calls = []
    layer = LSTMLayer(input_size=INPUT, hidden_size=100)
    read = LSTMLayer.read
    monkeypatch.setattr(LSTMLayer, "read", lambda *given: calls.append(1) or read(*given))
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        layer(torch.randn(rows, 2, INPUT))
    assert bool(calls) == is_one
    with torch.no_grad():
        layer(torch.randn(rows, 2, INPUT))
    assert len(calls) == is_one
