"""Each pooling against its formula, sentence by sentence."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.heads import AttentionPooling, LastPooling, MaxPooling, MeanPooling
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack
from tests.nn.padding import mask_of

LENGTHS = [4, 1, 3]
MASK_BS = mask_of(LENGTHS, padding=1)


def sentences() -> tuple[Tensor, list[Tensor]]:
    """A padded batch, and each of its sentences alone."""
    states_BSH = torch.randn(*MASK_BS.shape, 6, dtype=torch.float64)
    return states_BSH, [states_BSH[row, :length] for row, length in enumerate(LENGTHS)]


@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
def test_last_is_the_last_state_that_a_plain_stack_returns(direction: str) -> None:
    stack = Stack(
        input_size=5, hidden_size=4, num_layers=2, direction=direction, kind="plain"
    ).double()
    inputs_BSE = torch.randn(*MASK_BS.shape, 5, dtype=torch.float64)
    states_BSH, last = stack(inputs_BSE, None, Reading(MASK_BS, with_state=True))
    pooling = LastPooling(size=stack.output_size, direction=direction)
    torch.testing.assert_close(pooling(states_BSH, MASK_BS), last[-1][0])


def test_mean_is_the_mean_of_the_tokens() -> None:
    states_BSH, alone = sentences()
    expected_BH = torch.stack([states_SH.mean(0) for states_SH in alone])
    pooling = MeanPooling(size=6, direction="forward")
    torch.testing.assert_close(pooling(states_BSH, MASK_BS), expected_BH)


def test_max_is_the_largest_of_the_tokens() -> None:
    states_BSH, alone = sentences()
    expected_BH = torch.stack([states_SH.max(0).values for states_SH in alone])
    pooling = MaxPooling(size=6, direction="forward")
    torch.testing.assert_close(pooling(states_BSH, MASK_BS), expected_BH)


def test_attention_weighs_each_token_by_the_exponential_of_its_score() -> None:
    states_BSH, alone = sentences()
    pooling = AttentionPooling(size=6, direction="forward").double()
    vector_H = pooling.score_vector.weight[0]
    for row, states_SH in enumerate(alone):
        hidden_SH = torch.tanh(states_SH @ pooling.projection.weight.T + pooling.projection.bias)
        weights_S = torch.exp(hidden_SH @ vector_H)
        expected_H = (weights_S.unsqueeze(1) * states_SH).sum(0) / weights_S.sum()
        torch.testing.assert_close(pooling(states_BSH, MASK_BS)[row], expected_H)
