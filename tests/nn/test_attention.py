"""The scoring functions against their formulas; what all attentions keep to is in contracts/."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import multi_head_attention_forward, scaled_dot_product_attention

from seqcli.nn import attention as attention_module
from seqcli.nn.attention import (
    ATTENTIONS,
    NO_ATTENTION,
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    Memory,
    MultiHeadAttention,
    NoAttention,
    ScoredAttention,
)
from tests.nn.outcomes import outcome
from tests.nn.padding import mask_of

QUERY, MEMORY = 4, 6


def score(attention: ScoredAttention, query_H: Tensor, state_H: Tensor) -> Tensor:
    """The formula for one pair: Luong et al. (2015), scaled; Bahdanau et al. (2015)."""
    weights = dict(attention.named_parameters())
    if isinstance(attention, DotAttention):
        return query_H.dot(state_H) / QUERY**0.5
    if isinstance(attention, GeneralAttention):
        return query_H.dot(weights["key_projection.weight"].mv(state_H)) / QUERY**0.5
    return weights["score_vector.weight"][0].dot(
        torch.tanh(
            weights["query_projection.weight"].mv(query_H)
            + weights["query_projection.bias"]
            + weights["key_projection.weight"].mv(state_H)
        )
    )


@pytest.mark.parametrize(
    ("kind", "memory_size"),
    [(DotAttention, QUERY), (GeneralAttention, MEMORY), (AdditiveAttention, MEMORY)],
)
def test_each_pair_is_scored_by_the_formula(kind: type[ScoredAttention], memory_size: int) -> None:
    attention = kind(query_size=QUERY, memory_size=memory_size).double()
    queries_BTH = torch.randn(2, 3, QUERY, dtype=torch.float64)
    states_BSH = torch.randn(2, 5, memory_size, dtype=torch.float64)
    expected_BTS = torch.stack(
        [
            torch.stack([score(attention, query_H, state_H) for state_H in states_SH])
            for queries_TH, states_SH in zip(queries_BTH, states_BSH, strict=True)
            for query_H in queries_TH
        ]
    ).view(2, 3, 5)
    scores_BTS = attention.scores(queries_BTH, attention.keys(states_BSH))
    torch.testing.assert_close(scores_BTS, expected_BTS)


@pytest.mark.parametrize("kind", [DotAttention, GeneralAttention, AdditiveAttention])
def test_weights_are_the_softmax_of_the_scores_and_context_their_mean(
    kind: type[ScoredAttention],
) -> None:
    attention = kind(query_size=QUERY, memory_size=QUERY).double()
    queries_BTH = torch.randn(3, 4, QUERY, dtype=torch.float64)
    states_BSH = torch.randn(3, 5, QUERY, dtype=torch.float64)
    memory = attention.remember(states_BSH, mask_of([5, 1, 3]))
    context_BTH, weights_BTS = attention(queries_BTH, memory)
    for row, length in enumerate([5, 1, 3]):
        scores_TS = attention.scores(queries_BTH, memory.keys_BSA)[row, :, :length]
        expected_TS = scores_TS.exp() / scores_TS.exp().sum(1, keepdim=True)
        torch.testing.assert_close(weights_BTS[row, :, :length], expected_TS)
    expected_BTH = torch.einsum("bts,bsh->bth", weights_BTS, states_BSH)
    torch.testing.assert_close(context_BTH, expected_BTH)


def read_in_turn(read: Callable[[Tensor], Tensor], queries_BTH: Tensor) -> Tensor:
    """Read for one query after the other, each changed by the context before."""
    contexts, fed_BH = [], torch.zeros_like(queries_BTH[:, 0])
    for query_BH in queries_BTH.unbind(1):
        fed_BH = read(query_BH + fed_BH)
        contexts.append(fed_BH)
    return torch.stack(contexts, dim=1)


@pytest.mark.parametrize("name", [name for name in ATTENTIONS if name != NO_ATTENTION])
def test_reading_by_steps_is_attending_to_one_query_at_a_time(name: str) -> None:
    options = {"heads": 2} if name == "multi-head" else {}
    attention = ATTENTIONS[name](query_size=QUERY, memory_size=QUERY, **options).double()
    queries_BTH = torch.randn(3, 4, QUERY, dtype=torch.float64, requires_grad=True)
    states_BSH = torch.randn(3, 5, QUERY, dtype=torch.float64, requires_grad=True)
    memory = attention.remember(states_BSH, mask_of([5, 1, 3]))
    by_steps_BTH, alone_BTH = (
        read_in_turn(read, queries_BTH)
        for read in (
            attention.by_steps(memory, 4),
            lambda query_BH: attention(query_BH.unsqueeze(1), memory)[0][:, 0],
        )
    )
    leaves = [queries_BTH, states_BSH, *attention.parameters()]
    weights_BTH = torch.randn_like(alone_BTH)
    torch.testing.assert_close(by_steps_BTH, alone_BTH)
    torch.testing.assert_close(
        torch.autograd.grad((by_steps_BTH * weights_BTH).sum(), leaves, retain_graph=True),
        torch.autograd.grad((alone_BTH * weights_BTH).sum(), leaves),
    )


class TestMultiHead:
    MASK_BS = mask_of([5, 1, 3])

    def build(self, query: int = 8, heads: int = 4) -> MultiHeadAttention:
        return MultiHeadAttention(query_size=query, memory_size=MEMORY, heads=heads).double()

    def inputs(self) -> list[Tensor]:
        shapes = ((3, 4, 8), (3, 5, MEMORY))
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    @pytest.mark.parametrize("heads", [1, 2, 4, 8])
    def test_it_is_that_of_torch_without_an_output_projection(self, heads: int) -> None:
        attention = self.build(heads=heads)
        queries_BTH, states_BSH = self.inputs()
        leaves = [queries_BTH, states_BSH, *attention.parameters()]
        ours = attention(queries_BTH, attention.remember(states_BSH, self.MASK_BS))
        states_SBH = states_BSH.transpose(0, 1)
        context_TBH, weights_BTS = multi_head_attention_forward(
            queries_BTH.transpose(0, 1),
            states_SBH,
            states_SBH,
            8,
            heads,
            None,
            None,
            None,
            None,
            False,
            0.0,
            torch.eye(8, dtype=torch.float64),
            None,
            key_padding_mask=~self.MASK_BS,
            use_separate_proj_weight=True,
            q_proj_weight=attention.query_projection.weight,
            k_proj_weight=attention.key_projection.weight,
            v_proj_weight=attention.value_projection.weight,
        )
        theirs = [context_TBH.transpose(0, 1), weights_BTS]
        torch.testing.assert_close(outcome(ours, leaves), outcome(theirs, leaves))

    def test_each_head_reads_its_share_of_the_units(self) -> None:
        attention = self.build()
        queries_BTH, states_BSH = self.inputs()
        context_BTH, _ = attention(queries_BTH, attention.remember(states_BSH, self.MASK_BS))
        for share in (slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)):
            expected_BTX = scaled_dot_product_attention(
                queries_BTH @ attention.query_projection.weight[share].T,
                states_BSH @ attention.key_projection.weight[share].T,
                states_BSH @ attention.value_projection.weight[share].T,
                attn_mask=self.MASK_BS.unsqueeze(1),
            )
            torch.testing.assert_close(context_BTH[:, :, share], expected_BTX)

    @pytest.mark.parametrize("heads", [3, 5, 16])
    def test_heads_that_do_not_divide_the_query_are_refused(self, heads: int) -> None:
        with pytest.raises(ValueError, match=f"{heads} heads do not divide a query of 8"):
            self.build(heads=heads)


def test_no_attention_reads_nothing_and_keeps_nothing() -> None:
    attention = NoAttention(query_size=QUERY, memory_size=MEMORY)
    memory = attention.remember(torch.randn(2, 5, MEMORY), mask_of([5, 3]))
    context_BTH, weights_BTS = attention(torch.randn(2, 3, QUERY), memory)
    assert attention.context_size == context_BTH.numel() == 0
    assert memory.states_BSH.numel() == memory.keys_BSA.numel() == 0
    assert torch.equal(weights_BTS, torch.zeros(2, 3, 5))
    assert list(attention.parameters()) == []


def test_dot_attention_refuses_widths_that_differ() -> None:
    with pytest.raises(ValueError, match="a query of 4 and keys of 6"):
        DotAttention(query_size=QUERY, memory_size=MEMORY)


class TestAdditiveInChunks:
    """Above a limit, additive attention is computed in chunks and again in the backward pass."""

    @pytest.fixture
    def chunks(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The number of queries of each chunk that is scored, in order."""
        sizes: list[int] = []
        plain = AdditiveAttention._score_pairs

        def noting(module: AdditiveAttention, projected_BTA: Tensor, keys_BSA: Tensor) -> Tensor:
            sizes.append(projected_BTA.shape[1])
            return plain(module, projected_BTA, keys_BSA)

        monkeypatch.setattr(AdditiveAttention, "_score_pairs", noting)
        return sizes

    def outcome(self, attention: AdditiveAttention) -> list[Tensor]:
        """Context, weights and all gradients for fixed inputs."""
        generator = torch.Generator().manual_seed(1)
        queries_BTH = torch.randn(2, 7, QUERY, generator=generator).requires_grad_()
        states_BSH = torch.randn(2, 5, MEMORY, generator=generator).requires_grad_()
        memory = Memory(states_BSH, attention.keys(states_BSH), torch.ones(2, 5, dtype=torch.bool))
        context_BTH, weights_BTS = attention(queries_BTH, memory)
        inputs = [queries_BTH, states_BSH, *attention.parameters()]
        return [context_BTH, weights_BTS, *torch.autograd.grad(context_BTH.sum(), inputs)]

    # a query of both rows has 2 * 5 * QUERY = 40 numbers
    @pytest.mark.parametrize(
        ("limit", "expected"), [(280, [7]), (279, [6, 1]), (80, [2, 2, 2, 1]), (1, [1] * 7)]
    )
    def test_equals_the_plain_path(
        self, limit: int, expected: list[int], chunks: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attention = AdditiveAttention(query_size=QUERY, memory_size=MEMORY)
        plain = self.outcome(attention)
        chunks.clear()
        monkeypatch.setattr(attention_module, "MOST_PAIR_ELEMENTS", limit)
        chunked = self.outcome(attention)
        assert chunks[: len(expected)] == expected
        assert len(chunks) == len(expected) * (1 if len(expected) == 1 else 2)
        torch.testing.assert_close(chunked, plain)

    def test_works_without_gradient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attention = AdditiveAttention(query_size=QUERY, memory_size=MEMORY)
        queries_BTH, keys_BSA = torch.randn(2, 7, QUERY), torch.randn(2, 5, QUERY)
        plain_BTS = attention.scores(queries_BTH, keys_BSA)
        monkeypatch.setattr(attention_module, "MOST_PAIR_ELEMENTS", 80)
        with torch.inference_mode():
            chunked_BTS = attention.scores(queries_BTH, keys_BSA)
        torch.testing.assert_close(chunked_BTS, plain_BTS)
