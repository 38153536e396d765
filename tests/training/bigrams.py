"""A model of a table of numbers: each target token is guessed from the one before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqcli.data.batch import PairBatch, pair_batch
from seqcli.data.dataset import Example

VOCABULARY = 12
LENGTHS = (3, 9, 1, 4, 7, 2, 5, 6)  # of the targets


class Bigrams(nn.Module):
    """Always begins with the same numbers, so that two of them are alike."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.logits = nn.Parameter(torch.randn(VOCABULARY, VOCABULARY, generator=generator))
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))
        self._dropout = dropout

    def loss(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The sum over real targets, as loss and as negative log-likelihood."""
        table = nn.functional.dropout(self.logits, self._dropout, self.training)
        logits_NV = (table[batch.target_input_BT] + self.bias)[batch.target_mask_BT]
        targets_N = batch.target_output_BT[batch.target_mask_BT]
        loss = nn.functional.cross_entropy(logits_NV, targets_N, reduction="sum")
        return loss, loss.detach()


def some_examples(lengths: Sequence[int] = LENGTHS) -> list[Example]:
    return [
        Example([5], [4 + (place * length) % 7 for place in range(length)]) for length in lengths
    ]


@dataclass(frozen=True)
class PendingList:
    """A batch of examples that are at hand; "pair 1" is the first of them all."""

    examples: Sequence[Example]
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def make(self) -> PairBatch:
        return pair_batch([self.examples[index] for index in self.indices])

    def positions(self) -> int:
        return self.make().source_BS.numel() + self.make().target_output_BT.numel()

    def split(self, parts: int) -> "list[PendingList]":
        parts = min(parts, len(self))
        return [PendingList(self.examples, self.indices[part::parts]) for part in range(parts)]

    def places(self) -> list[str]:
        return [f"pair {index + 1}" for index in self.indices]


def pending(examples: Sequence[Example]) -> PendingList:
    """All of them as one batch."""
    return PendingList(examples, range(len(examples)))
