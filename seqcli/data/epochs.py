"""The batches of an epoch, of examples as they are or of others that are sampled as they come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

import numpy as np

from seqcli.data.batching import (
    Budget,
    PendingBatch,
    PendingExamples,
    by_length,
    cut,
    cut_into,
    token_batches,
)
from seqcli.data.dataset import Dataset, Example, Examples
from seqcli.data.rows import Integers

SHARD = 16_384  # examples that are sampled at once: enough to make even batches of
SLICE = 2048  # of a shard, sampled by one process: what comes of it depends on no other slice
LARGE_PRIME = 1_000_003

T = TypeVar("T")
Pad = Callable[[Sequence[Example]], Any]


class Divide(Protocol):
    """Divides work among processes: each number below `count` is made by one, and all get all.

    All processes are to call it, with the same count and in the same order.
    """

    def __call__(self, make: Callable[[int], T], count: int) -> list[T]: ...


def alone(make: Callable[[int], T], count: int) -> list[T]:
    """The `Divide` of one process."""
    return [make(number) for number in range(count)]


def epoch_batches(
    dataset: Dataset,
    pad: Pad,
    *,
    budget: Budget,
    seed: int,
    epoch: int,
    divide: Divide = alone,
) -> Sequence[PendingBatch]:
    """Return the batches of an epoch in an order that depends on `seed` and `epoch` alone.

    Where examples are sampled, the processes divide that between them: all are to make the batches,
    or parts of them, in the same order.
    """
    indices = dataset.of_epoch(seed=seed, epoch=epoch)
    if dataset.sampling:
        dealt = np.random.default_rng([seed, epoch]).permutation(indices)
        shards = map(np.sort, np.array_split(dealt, -(-len(dealt) // SHARD)))
        return _sampled_batches(_Shards(dataset, pad, budget, [*shards], (seed, epoch), divide))
    groups = token_batches(
        dataset.lengths.of(indices),
        batch_tokens=budget.tokens,
        batch_sentences=budget.sentences,
        seed=seed,
        epoch=epoch,
    )
    return [PendingExamples(dataset, indices[group], pad) for group in groups]


def _sampled_batches(shards: "_Shards") -> list[PendingBatch]:
    """The batches of shards, each of which is sampled when a batch of it is wanted.

    How many batches a shard has is fixed before: so the number of those of an epoch is known at
    once, and each can be made without those before it.
    """
    return [
        _SampledBatch(shards, shard, number, positions)
        for shard in range(len(shards))
        for number, positions in enumerate(shards.plan(shard))
    ]


class _Shards:
    """Examples of an epoch, dealt out at random; of the shards the one sampled last is held."""

    def __init__(
        self,
        dataset: Dataset,
        pad: Pad,
        budget: Budget,
        shards: Sequence[Integers],
        seed: tuple[int, int],
        divide: Divide,
    ) -> None:
        self._dataset = dataset
        self._pad = pad
        self._budget = budget
        self._shards = shards
        self._seed = seed
        self._divide = divide
        self._sizes: dict[int, int] = {}
        self._latest: tuple[int, list[PendingExamples]] = (-1, [])

    def __len__(self) -> int:
        return len(self._shards)

    def plan(self, shard: int) -> list[int]:
        """Fix how many batches a shard has, and return how many positions each is to have."""
        lengths = self._dataset.lengths.of(self._shards[shard])
        source_growth, target_growth = self._dataset.growth
        generator = np.random.default_rng([*self._seed, shard])
        order = by_length(lengths, generator)
        widths = self._budget.widths(lengths, (source_growth, target_growth))[order]
        ends = cut(widths, self._budget.most)
        self._sizes[shard] = len(ends)
        positions = [
            len(group)
            * round(
                source_growth * int(lengths.source[group].max())
                + target_growth * int(lengths.target[group].max())
                + 2
            )
            for group in np.split(order, ends[:-1])
        ]
        return [positions[number] for number in self._shuffle(shard)]

    def batch(self, shard: int, number: int) -> PendingExamples:
        latest, batches = self._latest
        if latest != shard:
            batches = self._sample(shard)
            self._latest = (shard, batches)
        return batches[number]

    def _sample(self, shard: int) -> list[PendingExamples]:
        members = self._shards[shard]
        slices = np.split(members, range(SLICE, len(members), SLICE))

        def sample_slice(number: int) -> list[Example]:
            own_seed = 0
            for part in (*self._seed, shard, number):
                own_seed = own_seed * LARGE_PRIME + part
            return self._dataset.sample(slices[number], seed=own_seed)

        examples = chain.from_iterable(self._divide(sample_slice, len(slices)))
        sample = _Sample(list(examples), self._dataset, members)
        order = by_length(sample.lengths, np.random.default_rng([*self._seed, shard]))
        widths = self._budget.widths(sample.lengths.of(order))
        groups = np.split(order, cut_into(widths, self._sizes[shard])[:-1])
        return [
            PendingExamples(sample, groups[number], self._pad) for number in self._shuffle(shard)
        ]

    def _shuffle(self, shard: int) -> list[int]:
        generator = np.random.default_rng([*self._seed, shard, 1])
        order: list[int] = generator.permutation(self._sizes[shard]).tolist()
        return order


class _Sample:
    """Some examples of a dataset, cut into tokens at random."""

    def __init__(self, examples: list[Example], dataset: Dataset, members: Integers) -> None:
        self._examples = Examples.of(examples)
        self._dataset = dataset
        self._members = members
        self.lengths = self._examples.lengths

    def take(self, indices: Integers) -> list[Example]:
        return self._examples.take(indices)

    def place(self, index: int) -> str:
        return self._dataset.place(int(self._members[index]))


@dataclass(frozen=True, slots=True)
class _SampledBatch:
    """The batch of a shard by its number."""

    shards: _Shards
    shard: int
    number: int
    expected_positions: int

    def __len__(self) -> int:
        return len(self._sampled())

    def make(self) -> Any:
        return self._sampled().make()

    def positions(self) -> int:
        """As many as are expected: to know it, all would have to be sampled."""
        return self.expected_positions

    def split(self, parts: int) -> list[PendingExamples]:
        return self._sampled().split(parts)

    def places(self) -> list[str]:
        return self._sampled().places()

    def _sampled(self) -> PendingExamples:
        return self.shards.batch(self.shard, self.number)
