"""How each wiring joins its layers, by its formula; what all wirings keep to is in contracts/."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seqcli.nn.cells import CELLS
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack
from seqcli.nn.stacks import STACKS
from tests.nn.padding import mask_of

WIDTH, INPUT = 6, 5


def build(kind: str, **settings: Any) -> Stack:
    chosen = {"input_size": INPUT, "hidden_size": WIDTH, "num_layers": 4, **settings}
    return Stack(kind=kind, **chosen).double()


def random_inputs(width: int = INPUT) -> Tensor:
    return torch.randn(2, 5, width, dtype=torch.float64)


class TestFormulas:
    def test_a_plain_stack_is_its_layers_one_after_the_other(self) -> None:
        stack = build("plain")
        below_BTH = inputs_BTE = random_inputs()
        for layer in stack.layers:
            below_BTH, _ = layer(below_BTH)
        torch.testing.assert_close(stack(inputs_BTE)[0], below_BTH)

    @pytest.mark.parametrize("skip_from", [1, 2, 3, 4, 9])
    def test_a_residual_stack_adds_what_a_layer_read(self, skip_from: int) -> None:
        stack = build("residual", input_size=WIDTH, options={"skip_from": skip_from})
        below_BTH = inputs_BTE = random_inputs(WIDTH)
        for number, layer in enumerate(stack.layers, start=1):
            states_BTH, _ = layer(below_BTH)
            below_BTH = states_BTH + below_BTH if number >= skip_from else states_BTH
        torch.testing.assert_close(stack(inputs_BTE)[0], below_BTH)

    @pytest.mark.parametrize("skip_from", [1, 2, 3])
    def test_a_highway_stack_mixes_what_a_layer_read_and_gave(self, skip_from: int) -> None:
        stack = build("highway", input_size=WIDTH, options={"skip_from": skip_from})
        below_BTH = inputs_BTE = random_inputs(WIDTH)
        for depth, layer in enumerate(stack.layers):
            states_BTH, _ = layer(below_BTH)
            if depth + 1 >= skip_from:
                gate = stack.wiring.carry_gates[str(depth)]
                nn.init.normal_(gate.bias)
                carry_BTH = 1 / (1 + torch.exp(-(below_BTH @ gate.weight.T + gate.bias)))
                states_BTH = carry_BTH * below_BTH + (1 - carry_BTH) * states_BTH
            below_BTH = states_BTH
        torch.testing.assert_close(stack(inputs_BTE)[0], below_BTH)
        assert len(stack.wiring.carry_gates) == 5 - skip_from

    def test_a_dense_stack_reads_all_that_is_below(self) -> None:
        stack = build("dense")
        below = [inputs_BTE := random_inputs()]
        for layer in stack.layers:
            below.append(layer(torch.cat(below, dim=2))[0])
        torch.testing.assert_close(stack(inputs_BTE)[0], below[-1])
        widths = [layer.input_size for layer in stack.layers]
        assert widths == [INPUT, INPUT + WIDTH, INPUT + 2 * WIDTH, INPUT + 3 * WIDTH]

    @pytest.mark.parametrize("kind", STACKS)
    def test_a_projection_is_a_linear_map_below_the_stack(self, kind: str) -> None:
        options = {"skip_from": 1} if "skip_from" in STACKS[kind].options else None
        stack = build(kind, projection=True, options=options)
        bare = build(kind, input_size=WIDTH, options=options)
        bare.load_state_dict(
            {k: v for k, v in stack.state_dict().items() if not k.startswith("projection")}
        )
        inputs_BTE = random_inputs()
        projected_BTH = linear(inputs_BTE, stack.projection.weight, stack.projection.bias)
        torch.testing.assert_close(stack(inputs_BTE), bare(projected_BTH))

    def test_both_directions_are_wired_as_one_layer(self) -> None:
        stack = build("residual", num_layers=2, direction="bidirectional")
        inputs_BSE, reading = random_inputs(), Reading(mask_of([5, 3]))
        first_BSH, _ = stack.layers[0](inputs_BSE, None, reading)
        second_BSH, _ = stack.layers[1](first_BSH, None, reading)
        torch.testing.assert_close(stack(inputs_BSE, None, reading)[0], first_BSH + second_BSH)


@pytest.mark.parametrize("bias", [-1.0, 0.0, 3.0])
def test_the_bias_says_how_much_a_highway_carries_at_the_start(bias: float) -> None:
    stack = build("highway", num_layers=2, options={"carry_bias": bias})
    below_BH, states_BH = torch.zeros(2, WIDTH).double(), torch.ones(2, WIDTH).double()
    given_BH = stack.wiring.rise(1, below_BH, states_BH)
    carry = torch.sigmoid(torch.tensor(bias)).item()
    torch.testing.assert_close(given_BH, torch.full_like(given_BH, 1 - carry))


@pytest.mark.parametrize("kind", ["residual", "highway"])
def test_leading_around_the_lowest_layer_needs_one_width(kind: str) -> None:
    with pytest.raises(ValueError, match="the lowest layer reads 5 and gives 6 units"):
        build(kind, options={"skip_from": 1})
    build(kind, options={"skip_from": 1}, projection=True)
    build(kind, options={"skip_from": 1}, input_size=2 * WIDTH, direction="bidirectional")


class TestDropout:
    def test_it_stands_between_layers_only(self) -> None:
        alone = build("plain", num_layers=1, dropout=0.5)
        inputs_BTE = random_inputs()
        assert torch.equal(alone(inputs_BTE)[0], alone.eval()(inputs_BTE)[0])
        severed = build("plain", num_layers=2, dropout=1.0)
        expected_BTH, _ = severed.layers[1](torch.zeros_like(random_inputs(WIDTH)))
        torch.testing.assert_close(severed(inputs_BTE)[0], expected_BTH)

    def test_what_leads_around_a_layer_is_not_dropped(self) -> None:
        stack = build("residual", num_layers=2, dropout=1.0)
        inputs_BTE = random_inputs()
        lower_BTH, _ = stack.layers[0](inputs_BTE)
        upper_BTH, _ = stack.layers[1](torch.zeros_like(lower_BTH))
        torch.testing.assert_close(stack(inputs_BTE)[0], lower_BTH + upper_BTH)

    def test_it_is_one_mask_for_all_steps(self) -> None:
        stack = build("plain", num_layers=2, dropout=0.5)
        inputs_BTE = random_inputs()
        lower_BTH, _ = stack.layers[0](inputs_BTE)
        torch.manual_seed(3)
        mask_BH = stack.dropout.mask_for(lower_BTH[:, 0])
        torch.manual_seed(3)
        expected_BTH, _ = stack.layers[1](lower_BTH * mask_BH.unsqueeze(1))
        torch.testing.assert_close(stack(inputs_BTE)[0], expected_BTH)


def gradient_ratio(kind: str, direction: str, seed: int, cell: str = "lstm") -> float:
    """Norm of the gradient of the lowest of 16 untrained layers over that of the top one.

    Of all parameters of a layer; inputs as embeddings are, sentences of 5 to 20 tokens, and a
    gradient of no preferred direction at each real state, as from an output layer.
    """
    torch.manual_seed(seed)
    stack = Stack(
        input_size=48, hidden_size=32, num_layers=16, cell=cell, direction=direction, kind=kind
    )
    mask_BS = mask_of([20, *torch.randint(5, 21, (7,)).tolist()])
    states_BSH, _ = stack(torch.randn(8, 20, 48), None, Reading(mask_BS))
    real_NH = states_BSH[mask_BS]
    real_NH.backward(torch.randn_like(real_NH))
    lowest, top = (
        torch.cat([parameter.grad.flatten() for parameter in stack.layers[depth].parameters()])
        for depth in (0, -1)
    )
    return (lowest.norm() / top.norm()).item()


class TestSixteenLayers:
    @pytest.mark.parametrize("kind", ["residual", "highway", "dense"])
    @pytest.mark.parametrize("direction", ["forward", "bidirectional"])
    @pytest.mark.parametrize("cell", CELLS)
    def test_the_lowest_learns_within_ten_times_as_fast_as_the_top(
        self, kind: str, direction: str, cell: str
    ) -> None:
        for seed in range(2):
            assert 1 / 10 < gradient_ratio(kind, direction, seed, cell) < 10

    def test_without_ways_around_the_gradient_vanishes(self) -> None:
        for seed in range(2):
            assert gradient_ratio("plain", "forward", seed) < 1 / 100
