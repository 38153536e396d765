"""The encoder: layers, dropout around them, and silence on padding."""

import pytest
import torch

from seqcli.nn.encoder import Encoder
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack
from tests.nn.padding import mask_of

MASK_BS = mask_of([5, 2])
READING = Reading(MASK_BS, with_state=True)


def build() -> Encoder:
    stack = Stack(input_size=3, hidden_size=4, num_layers=2, direction="bidirectional")
    return Encoder(stack, input_dropout=0.0, output_dropout=0.0)


def test_states_are_those_of_the_stack_and_zero_on_padding() -> None:
    encoder = build()
    embedded_BSE = torch.randn(2, 5, 3)
    states_BSH, last = encoder(embedded_BSE, READING)
    assert states_BSH.shape == (2, 5, encoder.stack.output_size)
    expected_BSH, expected_last = encoder.stack(embedded_BSE, None, READING)
    assert torch.equal(states_BSH[MASK_BS], expected_BSH[MASK_BS])
    assert (states_BSH[~MASK_BS] == 0).all()
    torch.testing.assert_close(last, expected_last)


@pytest.mark.parametrize("part", ["input_dropout", "output_dropout"])
def test_input_and_output_are_dropped_in_training_only(part: str) -> None:
    encoder = build()
    embedded_BSE = torch.randn(2, 5, 3)
    whole_BSH, _ = encoder(embedded_BSE, READING)
    silent_BSH, _ = encoder(torch.zeros(2, 5, 3), READING)
    getattr(encoder, part).probability = 1.0
    states_BSH, _ = encoder(embedded_BSE, READING)
    expected_BSH = silent_BSH if part == "input_dropout" else torch.zeros_like(whole_BSH)
    torch.testing.assert_close(states_BSH, expected_BSH)
    assert torch.equal(encoder.eval()(embedded_BSE, READING)[0], whole_BSH)
