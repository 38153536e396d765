"""What every attention of the table keeps to."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.attention import ATTENTIONS, Attention, Memory
from tests.nn.padding import mask_of

WIDTH = 6
MASK_BS = mask_of([5, 1, 3])

each_attention = pytest.mark.parametrize("name", ATTENTIONS)


def build(name: str) -> Attention:
    return ATTENTIONS[name](query_size=WIDTH, memory_size=WIDTH)


def memory_of(attention: Attention, states_BSH: Tensor, mask_BS: Tensor = MASK_BS) -> Memory:
    return Memory(states_BSH, attention.keys(states_BSH), mask_BS)


def random_query_and_states() -> tuple[Tensor, Tensor]:
    return torch.randn(3, 4, WIDTH), torch.randn(3, 5, WIDTH)


@each_attention
def test_weights_are_a_distribution_over_the_real_tokens(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    _, weights_BTS = attention(queries_BTH, memory_of(attention, states_BSH))
    torch.testing.assert_close(weights_BTS.sum(2), torch.ones(3, 4))
    assert torch.equal(weights_BTS > 0, MASK_BS.unsqueeze(1).expand(-1, 4, -1))


@each_attention
def test_the_context_is_the_mean_of_the_states_by_the_weights(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    context_BTH, weights_BTS = attention(queries_BTH, memory_of(attention, states_BSH))
    expected_BTH = torch.einsum("bts,bsh->bth", weights_BTS, states_BSH)
    torch.testing.assert_close(context_BTH, expected_BTH)


@each_attention
def test_the_weights_are_the_softmax_of_the_scores(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    memory = memory_of(attention, states_BSH)
    _, weights_BTS = attention(queries_BTH, memory)
    for row, length in enumerate(MASK_BS.sum(1).tolist()):
        scores_TS = attention.scores(queries_BTH, memory.keys_BSA)[row, :, :length]
        expected_TS = scores_TS.exp() / scores_TS.exp().sum(1, keepdim=True)
        torch.testing.assert_close(weights_BTS[row, :, :length], expected_TS)


@each_attention
def test_what_stands_in_padding_makes_no_difference(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    other_BSH = states_BSH.masked_fill(~MASK_BS.unsqueeze(2), 1e3)
    first = attention(queries_BTH, memory_of(attention, states_BSH))
    second = attention(queries_BTH, memory_of(attention, other_BSH))
    torch.testing.assert_close(first, second)


@each_attention
def test_one_query_of_one_row_is_answered_as_in_the_batch(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    context_BTH, weights_BTS = attention(queries_BTH, memory_of(attention, states_BSH))
    for row, length in enumerate(MASK_BS.sum(1).tolist()):
        alone = memory_of(
            attention, states_BSH[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
        )
        context_11H, weights_11S = attention(queries_BTH[row : row + 1, 2:3], alone)
        torch.testing.assert_close(context_11H[0, 0], context_BTH[row, 2])
        torch.testing.assert_close(weights_11S[0, 0], weights_BTS[row, 2, :length])


@each_attention
def test_rows_of_a_memory_are_selected_together(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    memory = memory_of(attention, states_BSH)
    rows = torch.tensor([2, 0, 2])
    selected = attention(queries_BTH[rows], memory.select(rows))
    expected = [tensor[rows] for tensor in attention(queries_BTH, memory)]
    torch.testing.assert_close(list(selected), expected)


@each_attention
def test_gradient_reaches_every_parameter_and_what_is_attended(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = (tensor.requires_grad_() for tensor in random_query_and_states())
    context_BTH, _ = attention(queries_BTH, memory_of(attention, states_BSH))
    context_BTH.square().sum().backward()
    for parameter in attention.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    assert queries_BTH.grad.abs().sum() > 0
    assert torch.equal(states_BSH.grad.abs().sum(2) > 0, MASK_BS)
