"""Attention of decoder states over the source: ways to score a pair, and to read by the scores."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seqcli.nn.stepping import StepProduct

MOST_PAIR_ELEMENTS = 1 << 25  # additive attention holds B*T*S*A numbers; above this, recompute


class Memory(NamedTuple):
    """What a decoder attends to, made once a batch."""

    states_BSH: Tensor  # what is read: the encoder's states, or values made of them
    keys_BSA: Tensor  # the states, as the attention prepared them
    mask_BS: Tensor

    def select(self, rows: Tensor) -> "Memory":
        return Memory(*(tensor.index_select(0, rows) for tensor in self))


Reader = Callable[[Tensor], Tensor]  # context_BH for query_BH, called once for each step


class Attention(nn.Module, ABC):
    """A way of reading the source states that suits a query."""

    options: ClassVar[tuple[str, ...]] = ()  # settings of its own

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.context_size = memory_size  # the width of what it reads

    @abstractmethod
    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        """Prepare the encoder's states: do all that depends on the source alone."""

    @abstractmethod
    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return context_BTH and weights_BTS, which sum to one over the real source tokens."""

    def by_steps(self, memory: Memory, num_steps: int) -> Reader:
        """Return a reader of T queries, each of which is known only after the step before."""
        return lambda query_BH: self(query_BH.unsqueeze(1), memory)[0][:, 0]


class ScoredAttention(Attention):
    """Attention of one head: subclasses say how a query and a key are scored."""

    def keys(self, states_BSH: Tensor) -> Tensor:
        """Return keys_BSA, the part of the scores that depends on the source alone."""
        return states_BSH

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        return Memory(states_BSH, self.keys(states_BSH), mask_BS)

    @abstractmethod
    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        """Return unnormalised scores_BTS."""

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        scores_BTS = self.scores(queries_BTH, memory.keys_BSA)
        weights_BTS = normalized(scores_BTS, memory.mask_BS.unsqueeze(1))
        return weights_BTS.to(memory.states_BSH.dtype) @ memory.states_BSH, weights_BTS

    def by_steps(self, memory: Memory, num_steps: int) -> Reader:
        return reader(lambda query: self.scores(query, memory.keys_BSA), memory, num_steps)


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


def step_scores(keys_BSA: Tensor, num_steps: int) -> StepProduct:
    """Return what gives the scaled products scores_B1S of query_B1A at each step."""
    scaled_BSA = keys_BSA * keys_BSA.shape[2] ** -0.5
    return StepProduct(_laid_out_for_steps(scaled_BSA).transpose(1, 2), [1] * num_steps)


def reader(scores: Callable[[Tensor], Tensor], memory: Memory, num_steps: int) -> Reader:
    """Return a reader of the memory's states; `scores` gives scores_B1S for a query_B1A."""
    read = StepProduct(_laid_out_for_steps(memory.states_BSH), [1] * num_steps)
    mask_B1S = memory.mask_BS.unsqueeze(1)
    return lambda query_BA: read(normalized(scores(query_BA.unsqueeze(1)), mask_B1S))[:, 0]


def _laid_out_for_steps(states_BSA: Tensor) -> Tensor:
    """Return the same with the source as the innermost axis: one row of products is faster so."""
    return states_BSA.transpose(1, 2).contiguous().transpose(1, 2)


class ProductAttention(ScoredAttention):
    """Scores are the scaled products of query and key, which are equally wide."""

    def scores(self, queries_BTH: Tensor, keys_BSA: Tensor) -> Tensor:
        return scaled_products(queries_BTH, keys_BSA)

    def by_steps(self, memory: Memory, num_steps: int) -> Reader:
        return reader(step_scores(memory.keys_BSA, num_steps), memory, num_steps)


class DotAttention(ProductAttention):
    """Score = query . key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017).

    Decoder and memory must be equally wide.
    """

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        if query_size != memory_size:
            raise ValueError(f"dot attention of a query of {query_size} and keys of {memory_size}")


class GeneralAttention(ProductAttention):
    """Score = query . W key / sqrt(A), Luong et al. (2015) scaled as in Vaswani et al. (2017)."""

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        self.key_projection = nn.Linear(memory_size, query_size, bias=False)
        nn.init.xavier_uniform_(self.key_projection.weight)

    def keys(self, states_BSH: Tensor) -> Tensor:
        keys_BSA: Tensor = self.key_projection(states_BSH)
        return keys_BSA


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

    def __init__(self, *, query_size: int, memory_size: int, heads: int) -> None:
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
        return Memory(self.value_projection(states_BSH), self.key_projection(states_BSH), mask_BS)

    def forward(self, queries_BTH: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        queries_BMTX = self._split(self.query_projection(queries_BTH))
        scores_BMTS = scaled_products(queries_BMTX, self._split(memory.keys_BSA))
        weights_BMTS = normalized(scores_BMTS, memory.mask_BS[:, None, None])
        values_BMSX = self._split(memory.states_BSH)
        context_BMTX = weights_BMTS.to(values_BMSX.dtype) @ values_BMSX
        return context_BMTX.transpose(1, 2).flatten(2), weights_BMTS.mean(1)

    def by_steps(self, memory: Memory, num_steps: int) -> Reader:
        """Let each head be a row of the batch."""
        sizes = [len(memory.mask_BS)] * num_steps
        project = StepProduct.linear(self.query_projection.weight, None, sizes)
        of_heads = Memory(
            self._split(memory.states_BSH).flatten(0, 1),
            self._split(memory.keys_BSA).flatten(0, 1),
            memory.mask_BS.repeat_interleave(self.heads, dim=0),
        )
        read = reader(step_scores(of_heads.keys_BSA, num_steps), of_heads, num_steps)

        def read_all(query_BH: Tensor) -> Tensor:
            queries_BMX = project(query_BH).unflatten(1, (self.heads, -1))
            return read(queries_BMX.flatten(0, 1)).view_as(queries_BMX).flatten(1)

        return read_all

    def _split(self, states_BSH: Tensor) -> Tensor:
        """Bring the heads, on the axis M, in front of the time axis."""
        states_BMSX: Tensor = states_BSH.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return states_BMSX


class NoAttention(Attention):
    """Reads nothing: the source must pass through the one vector that the decoder begins with.

    The bottleneck of Sutskever et al. (2014). All weights are zero.
    """

    def __init__(self, *, query_size: int, memory_size: int) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size)
        self.context_size = 0

    def remember(self, states_BSH: Tensor, mask_BS: Tensor) -> Memory:
        """Keep nothing of the states but their mask."""
        nothing_BS0 = states_BSH[:, :, :0]
        return Memory(nothing_BS0, nothing_BS0, mask_BS)

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
