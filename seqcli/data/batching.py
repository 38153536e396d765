"""Batches of sentences of similar length, as many as a budget of tokens or of rows allows."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqcli.data.dataset import Example, Lengths
from seqcli.data.rows import Integers, smallest_type

Widths = NDArray[np.uint32]  # what a batch is cut by: rows times the largest of them is its size


class PendingBatch(Protocol):
    """The lines of a batch before they are padded: cheap to hold, and made when they are wanted."""

    def __len__(self) -> int:
        """How many rows it has."""
        ...

    def make(self) -> Any:
        """Pad the rows into the kind of `Batch` that the task's own loss reads."""
        ...

    def positions(self) -> int:
        """How many positions it has on all sides, padding included: what memory it takes."""
        ...

    def split(self, parts: int) -> Sequence["PendingBatch"]:
        """Deal the rows out, as evenly by tokens as can be; no part is empty.

        There are at most as many parts as rows. The same batch is always dealt the same way.
        """
        ...

    def places(self) -> list[str]:
        """Where each row comes from, as in "train.de, line 17"."""
        ...


class Source(Protocol):
    """Examples by their index."""

    @property
    def lengths(self) -> Lengths: ...

    def take(self, indices: Integers) -> list[Example]: ...

    def place(self, index: int) -> str: ...


@dataclass(frozen=True, slots=True)
class PendingExamples:
    """Some of the examples of a source, which `pad` makes into a batch."""

    source: Source
    indices: Integers
    pad: Callable[[Sequence[Example]], Any]

    def __len__(self) -> int:
        return len(self.indices)

    def make(self) -> Any:
        return self.pad(self.source.take(self.indices))

    def positions(self) -> int:
        lengths = self.source.lengths.of(self.indices)
        return len(self) * (int(lengths.source.max()) + int(lengths.target.max()) + 2)

    def split(self, parts: int) -> "list[PendingExamples]":
        """The longest row first, each to the part that has the fewest tokens so far."""
        lengths = self.source.lengths.of(self.indices)
        tokens = lengths.source.astype(np.int64) + lengths.target + 2
        loads = [(0, number) for number in range(min(parts, len(self)))]
        rows: list[list[int]] = [[] for _ in loads]
        for row in np.argsort(-tokens, kind="stable").tolist():
            load, number = loads[0]
            rows[number].append(row)
            heapq.heapreplace(loads, (load + int(tokens[row]), number))
        return [PendingExamples(self.source, self.indices[part], self.pad) for part in rows]

    def places(self) -> list[str]:
        return [self.source.place(index) for index in self.indices.tolist()]


@dataclass(frozen=True, slots=True)
class Budget:
    """How large a batch may be: in tokens, or in rows if there is a number of these."""

    tokens: int
    sentences: int = 0

    def __mul__(self, shares: int) -> "Budget":
        return Budget(shares * self.tokens, shares * self.sentences)

    @property
    def most(self) -> int:
        """What rows times the largest width may come to."""
        return self.sentences or self.tokens

    def widths(self, lengths: Lengths, growth: tuple[float, float] = (1, 1)) -> Widths:
        """What each row takes of the budget, if all its lengths grow so many times.

        Rows times the longest target, end of sentence included, is to stay within the tokens, and
        rows times the longest source within twice as much.
        """
        if self.sentences:
            return np.ones(len(lengths.target), np.uint32)
        source, target = (
            (side if times == 1 else np.ceil(times * side)).astype(np.uint32)
            for times, side in zip(growth, (lengths.source, lengths.target), strict=True)
        )
        return np.maximum(target + 1, source // 2 + 1)


def token_batches(
    lengths: Lengths, *, batch_tokens: int, seed: int, epoch: int, batch_sentences: int = 0
) -> list[Integers]:
    """Group examples into batches, in an order drawn from `seed` and `epoch`; give their indices.

    They are sorted as `by_length` does, cut as `Budget` says, and then the batches are shuffled. Of
    29,000 pairs 1 % of the targets is padding then and a tenth of the sources, where random batches
    would hold half. A pair that alone exceeds the budget is a batch of its own.
    """
    generator = np.random.default_rng([seed, epoch])
    order = by_length(lengths, generator)
    budget = Budget(batch_tokens, batch_sentences)
    ends = cut(budget.widths(lengths.of(order)), budget.most)
    return shuffled(np.split(order, ends[:-1]) if ends else [], generator)


def by_length(lengths: Lengths, generator: np.random.Generator) -> Integers:
    """The indices in order of target, then source length, at random among equals.

    The sources of one target length rise, those of the next fall, and so on: a batch of both target
    lengths has sources that differ little, where it would have the longest beside the shortest.
    """
    longest = int(lengths.source.max(initial=0))
    kind = smallest_type((int(lengths.target.max(initial=0)) + 1) * (longest + 1))
    source, target = lengths.source.astype(kind), lengths.target.astype(kind)
    keys = target * kind.type(longest + 1) + np.where(
        target % 2, kind.type(longest) - source, source
    )
    order = generator.permutation(np.arange(len(keys), dtype=smallest_type(len(keys))))
    by_key: Integers = order[np.argsort(keys[order], kind="stable")]
    return by_key


def cut(widths: Widths, most: int) -> list[int]:
    """Cut a row of widths into groups whose number times their largest is within `most`.

    Returns where each group ends. What alone exceeds `most` is a group of its own.
    """
    ends: list[int] = []
    start = 0
    while start < len(widths):
        possible = max(1, most // int(widths[start]))
        largest = np.maximum.accumulate(widths[start : start + possible])
        fits = largest * np.arange(1, len(largest) + 1) <= most
        start += max(1, int(np.count_nonzero(fits)))
        ends.append(start)
    return ends


def cut_into(widths: Widths, num_groups: int) -> list[int]:
    """Cut into exactly so many groups, not more than widths, the largest as small as can be."""
    low, high = 1, len(widths) * int(widths.max())
    while low < high:
        middle = (low + high) // 2
        if len(cut(widths, middle)) <= num_groups:
            high = middle
        else:
            low = middle + 1
    ends = cut(widths, low)
    while len(ends) < num_groups:  # the group of the most rows is halved
        starts = [0, *ends[:-1]]
        sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        number = sizes.index(max(sizes))
        ends.insert(number, starts[number] + sizes[number] // 2)
    return ends


def shuffled(groups: Sequence[Integers], generator: np.random.Generator) -> list[Integers]:
    """The groups in a random order."""
    return [groups[number] for number in generator.permutation(len(groups)).tolist()]
