"""What every bridge of the table keeps to, and the formula of each."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.bridge import BRIDGES, Bridge
from seqcli.nn.cells import CELLS, State
from tests.nn.outcomes import assert_reached
from tests.nn.padding import mask_of

WIDTH, LAYERS = 4, 3
LENGTHS = [5, 1, 3]
MASK_BS = mask_of(LENGTHS)

each_bridge = pytest.mark.parametrize("name", BRIDGES)
each_cell = pytest.mark.parametrize("cell", CELLS)


def build(name: str, cell: str = "lstm", memory_size: int = WIDTH) -> Bridge:
    return BRIDGES[name](
        memory_size=memory_size,
        num_layers=LAYERS,
        num_parts=len(CELLS[cell].state_names),
        hidden_size=WIDTH,
    ).double()


def encoded(cell: str = "lstm", memory_size: int = WIDTH) -> tuple[Tensor, list[State]]:
    """What an encoder returns: states that are zero in padding, and the last of each layer."""
    states_BSH = torch.randn(3, 5, memory_size, dtype=torch.float64) * MASK_BS.unsqueeze(2)
    last = [
        tuple(torch.randn(3, memory_size, dtype=torch.float64) for _ in CELLS[cell].state_names)
        for _ in range(LAYERS)
    ]
    return states_BSH.requires_grad_(), last


@each_bridge
@each_cell
def test_every_layer_gets_a_state_of_its_cell(name: str, cell: str) -> None:
    states_BSH, last = encoded(cell)
    start = build(name, cell)(states_BSH, MASK_BS, last)
    assert len(start) == LAYERS
    for layer in start:
        assert [part.shape for part in layer] == [(3, WIDTH)] * len(CELLS[cell].state_names)
        assert {part.dtype for part in layer} == {torch.float64}


@each_bridge
def test_a_row_of_a_batch_starts_as_it_does_alone(name: str) -> None:
    bridge = build(name)
    states_BSH, last = encoded()
    start = bridge(states_BSH, MASK_BS, last)
    for row, length in enumerate(LENGTHS):
        alone = bridge(
            states_BSH[row : row + 1, :length],
            MASK_BS[row : row + 1, :length],
            [tuple(part[row : row + 1] for part in layer) for layer in last],
        )
        expected = [tuple(part[row : row + 1] for part in layer) for layer in start]
        torch.testing.assert_close(alone, expected)


@each_bridge
def test_only_a_bridge_that_says_so_reads_the_last_states(name: str) -> None:
    bridge = build(name)
    states_BSH, last = encoded()
    other = [tuple(part + 1 for part in layer) for layer in last]
    first, second = (bridge(states_BSH, MASK_BS, given) for given in (last, other))
    same = all(map(torch.equal, sum(first, ()), sum(second, ())))
    assert same is not bridge.needs_last_state


@each_bridge
def test_gradient_reaches_every_parameter(name: str) -> None:
    bridge = build(name)
    parameters = list(bridge.parameters())
    if parameters:
        states_BSH, last = encoded()
        start = bridge(states_BSH, MASK_BS, last)
        sum(part.square().sum() for layer in start for part in layer).backward()
        assert_reached([states_BSH, *parameters])


def test_zero_is_zero() -> None:
    states_BSH, last = encoded()
    for layer in build("zero")(states_BSH, MASK_BS, last):
        assert all((part == 0).all() for part in layer)


def test_copy_is_the_last_state_of_each_layer() -> None:
    states_BSH, last = encoded()
    torch.testing.assert_close(build("copy")(states_BSH, MASK_BS, last), last)


def test_copy_refuses_widths_that_differ() -> None:
    with pytest.raises(ValueError, match="states of 8 units copied to a decoder of 4"):
        build("copy", memory_size=8)


@each_cell
def test_dense_is_a_layer_over_the_mean_of_the_real_states(cell: str) -> None:
    bridge = build("dense", cell, memory_size=6)
    torch.nn.init.normal_(bridge.bias)
    states_BSH, last = encoded(cell, memory_size=6)
    start = bridge(states_BSH, MASK_BS, last)
    parts = len(CELLS[cell].state_names)
    for row, length in enumerate(LENGTHS):
        mean_H = states_BSH[row, :length].mean(0)
        expected_PLH = torch.tanh(bridge.weight @ mean_H + bridge.bias).view(parts, LAYERS, WIDTH)
        for depth, layer in enumerate(start):
            torch.testing.assert_close(
                torch.stack([part[row] for part in layer]), expected_PLH[:, depth]
            )
