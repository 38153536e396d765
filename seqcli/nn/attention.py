"""Attention of decoder states over the source: ways to score a pair, and to read by the scores."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST_PAIR_ELEMENTS = 1 << 25  # additive attention holds B*T*S*A numbers; above this, recompute


class Memory(NamedTuple):
    """What a decoder attends to, made once a batch."""

    states_BSH: Tensor  # what is read: the encoder's states, or values made of them
    keys_BSA: Tensor  # the states, as the attention prepared them
    mask_BS: Tensor

    def select(self, rows: Tensor) -> "Memory":
        return Memory(*(tensor.index_select(0, rows) for tensor in self))


class Attention(nn.Module, ABC):
    """A way of reading the source states that suits a query."""

    options: ClassVar[tuple[str, ...]] = ()  # settings of its own

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.context_size = memory_size  # the width of what it reads

    @abstractmethod
    def keys(self, states_BSH: Tensor) -> Tensor:
        """Return keys_BSA, the part of the scores that depends on the source alone."""

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        """Prepare the encoder's states."""
        return Memory(states_BSH, self.keys(states_BSH), mask_BS)

    @abstractmethod
    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return context_BTH and weights_BTS, which sum to one over the real source tokens."""


class ScoredAttention(Attention):
    """Attention of one head: subclasses say how a query and a key are scored."""

    @abstractmethod
    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        """Return unnormalised scores_BTS."""

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        scores_BTS = self.scores(queries_BTH, memory.keys_BSA)
        weights_BTS = normalized(scores_BTS, memory.mask_BS.unsqueeze(1))
        return weights_BTS.to(memory.states_BSH.dtype) @ memory.states_BSH, weights_BTS


def normalized(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis, at least in float32; what the mask leaves out gets nothing."""
    precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return precise.masked_fill(~mask, -torch.inf).softmax(-1)


def scaled_products(queries_BTA: Tensor, keys_BSA: Tensor) -> Tensor:
    """Return products_BTS of queries and keys over the root of their width.

    Without the scale one step of Adam, which moves every weight alike, moves a sum over hundreds of
    units so far that the attention closes on one token before it has learned which.
    """
    scale: float = keys_BSA.shape[-1] ** -0.5
    return queries_BTA @ keys_BSA.transpose(-1, -2) * scale


class DotAttention(ScoredAttention):
    """Score = query . key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017).

    Decoder and memory must be equally wide.
    """

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        if query_size != memory_size:
            raise ValueError(f"dot attention of a query of {query_size} and keys of {memory_size}")

    def keys(self, states_BSH: Tensor) -> Tensor:
        return states_BSH

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        return scaled_products(queries_BTH, keys_BSA)


class GeneralAttention(ScoredAttention):
    """Score = query . W key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017)."""

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)
        nn.init.xavier_uniform_(self.key_projection.weight)

    def keys(self, states_BSH: Tensor) -> Tensor:
        keys_BSA: Tensor = self.key_projection(states_BSH)
        return keys_BSA

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        return scaled_products(queries_BTH, keys_BSA)


class AdditiveAttention(ScoredAttention):
    """Score = v . tanh(W query + U key) (Bahdanau et al., 2015)."""

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
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
                checkpoint(
                    self._score_pairs,
                    chunk_BTA,
                    keys_BSA,
                    use_reentrant=False,
                    preserve_rng_state=False,
                )
                for chunk_BTA in projected_BTA.split(steps, dim=1)
            ],
            dim=1,
        )

    def _score_pairs(self, projected_BTA: Tensor, keys_BSA: Tensor) -> Tensor:
        pairs_BTSA = torch.tanh(projected_BTA.unsqueeze(2) + keys_BSA.unsqueeze(1))
        scores_BTS: Tensor = self.score_vector(pairs_BTSA).squeeze(3)
        return scores_BTS


class MultiHeadAttention(Attention):
    """Several heads, each with a projection of its own (Vaswani et al., 2017).

    The heads' contexts stand side by side; the decoder's combination is their output projection.
    The weights it tells are the mean of the heads'. ValueError where the heads do not divide the
    query.
    """

    options = ("heads",)

    def __init__(self, *, query_size: int, memory_size: int, heads: int = 4) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        if query_size % heads:
            raise ValueError(f"{heads} heads do not divide a query of {query_size}")
        self.heads = heads
        self.context_size = query_size
        self.query_projection = nn.Linear(query_size, query_size, bias=False)
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)
        self.value_projection = nn.Linear(memory_size, query_size, bias=False)
        for layer in (self.query_projection, self.key_projection, self.value_projection):
            nn.init.xavier_uniform_(layer.weight)

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        return Memory(self.value_projection(states_BSH), self.keys(states_BSH), mask_BS)

    def keys(self, states_BSH: Tensor) -> Tensor:
        keys_BSA: Tensor = self.key_projection(states_BSH)
        return keys_BSA

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        queries_BATH = self._split(self.query_projection(queries_BTH))
        scores_BATS = scaled_products(queries_BATH, self._split(memory.keys_BSA))
        weights_BATS = normalized(scores_BATS, memory.mask_BS[:, None, None])
        values_BASH = self._split(memory.states_BSH)
        context_BATH = weights_BATS.to(values_BASH.dtype) @ values_BASH
        return context_BATH.transpose(1, 2).flatten(2), weights_BATS.mean(1)

    def _split(self, states_BSH: Tensor) -> Tensor:
        """Bring the heads in front of the time axis."""
        heads_BASH: Tensor = states_BSH.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return heads_BASH


class NoAttention(Attention):
    """Reads nothing: the source must pass through the one vector that the decoder begins with.

    The bottleneck of Sutskever et al. (2014). All weights are zero.
    """

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        self.context_size = 0

    def keys(self, states_BSH: Tensor) -> Tensor:
        return states_BSH[:, :, :0]

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        """Keep nothing of the states but their mask."""
        return Memory(states_BSH[:, :, :0], self.keys(states_BSH), mask_BS)

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        batch_size, steps, _ = queries_BTH.shape
        weights_BTS = queries_BTH.new_zeros(batch_size, steps, memory.mask_BS.shape[1])
        return queries_BTH[:, :, :0], weights_BTS


NO_ATTENTION = "none"

ATTENTIONS: dict[str, type[Attention]] = {
    NO_ATTENTION: NoAttention,
    "dot": DotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
    "multi-head": MultiHeadAttention,
}
