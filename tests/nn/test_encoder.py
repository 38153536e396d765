"""The encoder: layers, dropout around them, and silence on padding."""

import pytest
import torch

from seqcli.nn.encoder import Encoder
from tests.nn.padding import mask_of

MASK_BS = mask_of([5, 2])


def build(dropout: float = 0.0) -> Encoder:
    return Encoder(input_size=3, hidden_size=4, num_layers=2, stack="residual", dropout=dropout)


def test_states_are_those_of_the_stack_and_zero_on_padding() -> None:
    encoder = build()
    embedded_BSE = torch.randn(2, 5, 3)
    states_BSH = encoder(embedded_BSE, MASK_BS)
    assert states_BSH.shape == (2, 5, encoder.output_size)
    expected_BSH = encoder.stack.encode(embedded_BSE, MASK_BS)
    assert torch.equal(states_BSH[MASK_BS], expected_BSH[MASK_BS])
    assert (states_BSH[~MASK_BS] == 0).all()


@pytest.mark.parametrize("part", ["input_dropout", "output_dropout"])
def test_input_and_output_are_dropped_in_training(part: str) -> None:
    encoder = build()
    getattr(encoder, part).probability = 1.0
    states_BSH = encoder(torch.randn(2, 5, 3), MASK_BS)
    if part == "output_dropout":
        assert (states_BSH == 0).all()
    else:
        silent_BSH = build_like(encoder)(torch.zeros(2, 5, 3), MASK_BS)
        torch.testing.assert_close(states_BSH, silent_BSH)


def build_like(encoder: Encoder) -> Encoder:
    twin = build()
    twin.load_state_dict(encoder.state_dict())
    return twin
