"""The LSTM layers against the equations and against torch's packed bidirectional LSTM."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqcli.nn.recurrent import BidirectionalLSTMLayer, LSTMLayer, State
from tests.nn.padding import mask_of

INPUT, HIDDEN = 5, 4
LENGTHS = (6, 1, 4)


def inputs_of(rows: int = 3, steps: int = 6) -> Tensor:
    return torch.randn(rows, steps, INPUT, dtype=torch.float64, requires_grad=True)


def by_equations(layer: LSTMLayer, inputs_BSE: Tensor, state: State) -> tuple[Tensor, State]:
    """Gates in torch's order: input, forget, candidate, output."""
    weights = dict(layer.lstm.named_parameters())
    hidden_BH, cell_BH = state
    states = []
    for inputs_BE in inputs_BSE.unbind(1):
        gates_BG = (
            inputs_BE @ weights["weight_ih_l0"].T
            + weights["bias_ih_l0"]
            + hidden_BH @ weights["weight_hh_l0"].T
            + weights["bias_hh_l0"]
        )
        enter, forget, candidate, leave = gates_BG.chunk(4, dim=1)
        cell_BH = forget.sigmoid() * cell_BH + enter.sigmoid() * candidate.tanh()
        hidden_BH = leave.sigmoid() * cell_BH.tanh()
        states.append(hidden_BH)
    return torch.stack(states, dim=1), (hidden_BH, cell_BH)


def torch_twin(layer: BidirectionalLSTMLayer) -> nn.LSTM:
    """torch's own bidirectional LSTM with the same weights."""
    twin = nn.LSTM(INPUT, HIDDEN, batch_first=True, bidirectional=True).double()
    twin.load_state_dict(
        {
            **layer.forwards.lstm.state_dict(),
            **{f"{name}_reverse": t for name, t in layer.backwards.lstm.state_dict().items()},
        }
    )
    return twin


def test_a_layer_follows_the_equations_in_values_and_gradients() -> None:
    layer = LSTMLayer(input_size=INPUT, hidden_size=HIDDEN).double()
    inputs_BSE = inputs_of()
    state = (torch.randn(3, HIDDEN).double(), torch.randn(3, HIDDEN).double())
    direction_BSH = torch.randn(3, 6, HIDDEN, dtype=torch.float64)
    outcomes = []
    for states_BSH, (hidden_BH, cell_BH) in (
        layer(inputs_BSE, state),
        by_equations(layer, inputs_BSE, state),
    ):
        objective = (states_BSH * direction_BSH).sum() + hidden_BH.sum() + (cell_BH**2).sum()
        gradients = torch.autograd.grad(objective, [inputs_BSE, *layer.parameters()])
        outcomes.append([states_BSH, hidden_BH, cell_BH, *gradients])
    torch.testing.assert_close(*outcomes)


def test_a_layer_starts_from_zero_without_a_state() -> None:
    layer = LSTMLayer(input_size=INPUT, hidden_size=HIDDEN).double()
    zero = torch.zeros(3, HIDDEN, dtype=torch.float64)
    inputs_BSE = inputs_of()
    torch.testing.assert_close(layer(inputs_BSE), by_equations(layer, inputs_BSE, (zero, zero)))


def test_both_directions_are_two_runs_on_the_text_and_the_reversed_text_of_each_row() -> None:
    layer = BidirectionalLSTMLayer(input_size=INPUT, hidden_size=HIDDEN).double()
    inputs_BSE = inputs_of()
    states_BSH = layer(inputs_BSE, mask_of(LENGTHS))
    for row, length in enumerate(LENGTHS):
        text_1SE = inputs_BSE[row : row + 1, :length]
        forward_1SH, _ = layer.forwards(text_1SE)
        backward_1SH, _ = layer.backwards(text_1SE.flip(1))
        alone_1SH = torch.cat([forward_1SH, backward_1SH.flip(1)], dim=2)
        torch.testing.assert_close(states_BSH[row : row + 1, :length], alone_1SH)


def test_both_directions_equal_the_packed_lstm_of_torch_in_values_and_gradients() -> None:
    layer = BidirectionalLSTMLayer(input_size=INPUT, hidden_size=HIDDEN).double()
    twin = torch_twin(layer)
    inputs_BSE = inputs_of()
    mask_BS = mask_of(LENGTHS)
    direction_BSH = torch.randn(3, 6, 2 * HIDDEN, dtype=torch.float64) * mask_BS.unsqueeze(2)
    packed = pack_padded_sequence(inputs_BSE, LENGTHS, batch_first=True, enforce_sorted=False)
    theirs_BSH, _ = pad_packed_sequence(twin(packed)[0], batch_first=True)
    ours_BSH = layer(inputs_BSE, mask_BS)
    torch.testing.assert_close(ours_BSH[mask_BS], theirs_BSH[mask_BS])
    ours = torch.autograd.grad((ours_BSH * direction_BSH).sum(), [inputs_BSE, *layer.parameters()])
    theirs = torch.autograd.grad(
        (theirs_BSH * direction_BSH).sum(), [inputs_BSE, *twin.parameters()]
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("input_size", [HIDDEN, 3 * HIDDEN])
def test_initial_weights_are_orthogonal_bounded_and_remember(input_size: int) -> None:
    lstm = LSTMLayer(input_size=input_size, hidden_size=HIDDEN).lstm
    for gate_HH in lstm.weight_hh_l0.detach().split(HIDDEN):
        torch.testing.assert_close(gate_HH @ gate_HH.T, torch.eye(HIDDEN))
    assert lstm.weight_ih_l0.abs().max() <= (6 / (input_size + HIDDEN)) ** 0.5
    enter, forget, candidate, leave = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().split(HIDDEN)
    assert (forget == 1).all()
    for bias_H in (enter, candidate, leave):
        assert (bias_H == 0).all()
