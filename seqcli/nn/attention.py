"""Attention of decoder states over the source: three ways to score a pair, one way to read."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST_PAIR_ELEMENTS = 1 << 25  # additive attention holds B*T*S*A numbers; above this, recompute


class Memory(NamedTuple):
    """What a decoder attends to, made once a batch. The tuple can be indexed row by row."""

    states_BSH: Tensor
    keys_BSA: Tensor  # the states, projected for the scoring function
    mask_BS: Tensor

    def select(self, rows: Tensor) -> "Memory":
        return Memory(*(tensor.index_select(0, rows) for tensor in self))


class Attention(nn.Module, ABC):
    """Normalised attention: subclasses say how a query and a key are scored."""

    @abstractmethod
    def keys(self, states_BSH: Tensor) -> Tensor:
        """Return keys_BSA, the part of the scores that depends on the source alone."""

    @abstractmethod
    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        """Return unnormalised scores_BTS."""

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return context_BTH and weights_BTS, which sum to one over the real source tokens."""
        scores_BTS = self.scores(queries_BTH, memory.keys_BSA).float()
        scores_BTS = scores_BTS.masked_fill(~memory.mask_BS.unsqueeze(1), -torch.inf)
        weights_BTS = scores_BTS.softmax(2)
        return weights_BTS.to(memory.states_BSH.dtype) @ memory.states_BSH, weights_BTS


def scaled_products(queries_BTA: Tensor, keys_BSA: Tensor) -> Tensor:
    """Return products_BTS of queries and keys over the root of their width.

    Without the scale one step of Adam, which moves every weight alike, moves a sum over hundreds of
    units so far that the attention closes on one token before it has learned which.
    """
    scale: float = keys_BSA.shape[2] ** -0.5
    return queries_BTA @ keys_BSA.transpose(1, 2) * scale


class DotAttention(Attention):
    """Score = query . key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017).

    Decoder and memory must be equally wide.
    """

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        if query_size != memory_size:
            raise ValueError(f"dot attention of a query of {query_size} and keys of {memory_size}")

    def keys(self, states_BSH: Tensor) -> Tensor:
        return states_BSH

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        return scaled_products(queries_BTH, keys_BSA)


class GeneralAttention(Attention):
    """Score = query . W key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017)."""

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)
        nn.init.xavier_uniform_(self.key_projection.weight)

    def keys(self, states_BSH: Tensor) -> Tensor:
        keys_BSA: Tensor = self.key_projection(states_BSH)
        return keys_BSA

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        return scaled_products(queries_BTH, keys_BSA)


class AdditiveAttention(Attention):
    """Score = v . tanh(W query + U key) (Bahdanau et al., 2015)."""

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_projection = nn.Linear(query_size, query_size)
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)
        self.score_vector = nn.Linear(query_size, 1, bias=False)
        for layer in (self.query_projection, self.key_projection, self.score_vector):
            nn.init.xavier_uniform_(layer.weight)

    def keys(self, states_BSH: Tensor) -> Tensor:
        keys_BSA: Tensor = self.key_projection(states_BSH)
        return keys_BSA

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        projected_BTA = self.query_projection(queries_BTH)
        pairs = projected_BTA.numel() * keys_BSA.shape[1]
        if pairs <= MOST_PAIR_ELEMENTS:
            return self._score_pairs(projected_BTA, keys_BSA)
        steps = max(1, MOST_PAIR_ELEMENTS * projected_BTA.shape[1] // pairs)
        return torch.cat(
            [
                checkpoint(self._score_pairs, chunk_BTA, keys_BSA, use_reentrant=False)
                for chunk_BTA in projected_BTA.split(steps, dim=1)
            ],
            dim=1,
        )

    def _score_pairs(self, projected_BTA: Tensor, keys_BSA: Tensor) -> Tensor:
        pairs_BTSA = torch.tanh(projected_BTA.unsqueeze(2) + keys_BSA.unsqueeze(1))
        scores_BTS: Tensor = self.score_vector(pairs_BTSA).squeeze(3)
        return scores_BTS


ATTENTIONS: dict[str, type[DotAttention] | type[GeneralAttention] | type[AdditiveAttention]] = {
    "dot": DotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
}
