"""The scoring functions against their formulas; what all attentions keep to is in contracts/."""

import pytest
import torch
from torch import Tensor

from seqcli.nn import attention as attention_module
from seqcli.nn.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    Memory,
)

QUERY, MEMORY = 4, 6


def score(attention: Attention, query_H: Tensor, state_H: Tensor) -> Tensor:
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
def test_each_pair_is_scored_by_the_formula(kind: type[Attention], memory_size: int) -> None:
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
