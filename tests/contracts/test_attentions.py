"""What every attention of the table keeps to."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.attention import ATTENTIONS, NO_ATTENTION, Attention
from tests.nn.outcomes import outcome
from tests.nn.padding import mask_of

WIDTH = 6
LENGTHS = [5, 1, 3]
MASK_BS = mask_of(LENGTHS)

OPTIONS = {"multi-head": {"heads": 2}}
READING = [name for name in ATTENTIONS if name != NO_ATTENTION]

each_attention = pytest.mark.parametrize("name", ATTENTIONS)
each_that_reads = pytest.mark.parametrize("name", READING)


def build(name: str) -> Attention:
    options = OPTIONS.get(name, {})
    return ATTENTIONS[name](query_size=WIDTH, memory_size=WIDTH, **options).double()


def random_query_and_states() -> tuple[Tensor, Tensor]:
    queries_BTH, states_BSH = (
        torch.randn(3, steps, WIDTH, dtype=torch.float64, requires_grad=True) for steps in (4, 5)
    )
    return queries_BTH, states_BSH


@each_attention
def test_the_context_is_as_wide_as_said(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    context_BTH, weights_BTS = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    assert context_BTH.shape == (3, 4, attention.context_size)
    assert weights_BTS.shape == (3, 4, 5)


@each_that_reads
def test_weights_are_a_distribution_over_the_real_tokens(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    _, weights_BTS = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    torch.testing.assert_close(weights_BTS.sum(2), torch.ones(3, 4).double())
    assert torch.equal(weights_BTS > 0, MASK_BS.unsqueeze(1).expand(-1, 4, -1))


@each_that_reads
def test_a_source_of_one_token_is_all_that_is_read(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    memory = attention.remember(states_BSH, MASK_BS)
    context_BTH, _ = attention(queries_BTH, memory)
    expected_TH = memory.states_BSH[1, :1].expand(4, -1)
    torch.testing.assert_close(context_BTH[1], expected_TH)


@each_attention
def test_what_stands_in_padding_makes_no_difference(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    other_BSH = states_BSH.masked_fill(~MASK_BS.unsqueeze(2), 1e3)
    first = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    second = attention(queries_BTH, attention.remember(other_BSH, MASK_BS))
    torch.testing.assert_close(first, second)


@each_attention
def test_a_batch_is_each_query_of_each_row_alone_in_values_and_gradients(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    context_BTH, weights_BTS = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    contexts, weights = [], []
    for row, length in enumerate(LENGTHS):
        memory = attention.remember(
            states_BSH[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
        )
        for step in range(4):
            one_11H = queries_BTH[row : row + 1, step : step + 1]
            context_11H, weights_11S = attention(one_11H, memory)
            contexts.append(context_11H[0, 0])
            weights.append(torch.nn.functional.pad(weights_11S[0, 0], (0, 5 - length)))
    torch.testing.assert_close(weights_BTS.flatten(0, 1), torch.stack(weights))
    alone_NH = torch.stack(contexts)
    if name == NO_ATTENTION:
        return
    leaves = [queries_BTH, states_BSH, *attention.parameters()]
    torch.testing.assert_close(
        outcome([context_BTH.flatten(0, 1)], leaves), outcome([alone_NH], leaves)
    )


@each_attention
def test_rows_of_a_memory_are_selected_together(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    memory = attention.remember(states_BSH, MASK_BS)
    rows = torch.tensor([2, 0, 2])
    selected = attention(queries_BTH[rows], memory.select(rows))
    expected = [tensor[rows] for tensor in attention(queries_BTH, memory)]
    torch.testing.assert_close(list(selected), expected)


@each_that_reads
def test_gradient_reaches_every_parameter_and_what_is_attended(name: str) -> None:
    attention = build(name)
    queries_BTH, states_BSH = random_query_and_states()
    context_BTH, _ = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    context_BTH.square().sum().backward()
    for parameter in attention.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    assert queries_BTH.grad.abs().sum() > 0
    assert torch.equal(states_BSH.grad.abs().sum(2) > 0, MASK_BS)


@each_that_reads
def test_bfloat16_is_near_float32_and_weights_are_wide(name: str) -> None:
    attention = build(name).float()
    queries_BTH, states_BSH = (tensor.float() for tensor in random_query_and_states())
    exact = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    with torch.autocast("cpu", torch.bfloat16):
        rough = attention(queries_BTH, attention.remember(states_BSH, MASK_BS))
    assert rough[1].dtype == torch.float32
    for rough_part, exact_part in zip(rough, exact, strict=True):
        assert (rough_part - exact_part).norm() < 0.02 * exact_part.norm()
