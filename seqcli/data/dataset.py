"""The examples of a text, and how they are cut into tokens from epoch to epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqcli.data.filters import CUT, Filters, apply_filters
from seqcli.data.rows import Integers, Rows, smallest_type
from seqcli.errors import ConfigError

Text = tuple[Sequence[str], ...]  # the lines of each file: of source and target, or of text alone

Place = Callable[[int], str]  # where a row comes from, as in "train.de, line 17"

LINES_FOR_RATIO = 2000  # by which it is told how long samples are


class Example(NamedTuple):
    """Token ids of what is read and of what is predicted, without marks of start and end."""

    source: list[int]
    target: list[int]


class Encode(Protocol):
    """Turns each line of a text into an example.

    `alpha` is that of `Tokenizer.sample_batch`; 0 takes the best segmentation, whatever the seed.
    """

    def __call__(self, text: Text, *, alpha: float, seed: int) -> list[Example]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """How many tokens source and target of each example have."""

    source: Integers
    target: Integers

    def of(self, indices: Integers) -> "Lengths":
        return Lengths(self.source[indices], self.target[indices])


class Examples:
    """Examples as flat arrays of token ids."""

    def __init__(self, source: Rows, target: Rows) -> None:
        self._source = source
        self._target = target
        self.lengths = Lengths(source.lengths, target.lengths)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Examples":
        return cls(*(Rows.of([example[side] for example in examples]) for side in (0, 1)))

    def __len__(self) -> int:
        return len(self._source)

    def place(self, index: int) -> str:
        return f"example {index + 1}"

    def take(self, indices: Integers) -> list[Example]:
        sources = self._source.take(indices, np.ndarray.tolist)
        targets = self._target.take(indices, np.ndarray.tolist)
        return [Example(*pair) for pair in zip(sources, targets, strict=True)]


class LinesOfText(Protocol):
    """Where the lines of a dataset come from, by their row."""

    def kept_rows(self) -> Integers:
        """The rows that may be used, ascending."""
        ...

    def lines(self, rows: Integers) -> Text:
        """The lines in these rows."""
        ...

    def is_repeated(self) -> NDArray[np.bool_]:
        """Whether each row says the same as one before it."""
        ...

    def place(self, row: int) -> str:
        """Where a row comes from, as in "train.de, line 17"."""
        ...

    def parts(self) -> Sequence[tuple[int, int, float]]:
        """The first row of each part, the one behind its last, and how often it is seen."""
        ...


def place_by_number(row: int) -> str:
    """The `Place` where nothing but the number of a line is known."""
    return f"line {row + 1}"


class ListedText:
    """Lines that are held in memory, all of which are used."""

    def __init__(self, text: Text, place: Place = place_by_number) -> None:
        self._text = text
        self.place = place

    def kept_rows(self) -> Integers:
        return np.arange(len(self._text[0]))

    def lines(self, rows: Integers) -> Text:
        return tuple([side[row] for row in rows.tolist()] for side in self._text)

    def is_repeated(self) -> NDArray[np.bool_]:
        return np.zeros(len(self._text[0]), bool)

    def parts(self) -> Sequence[tuple[int, int, float]]:
        return [(0, len(self._text[0]), 1.0)]


class Dataset:
    """Those examples of a text that `filters` let pass, in the order of its lines.

    `examples` are those of its kept rows in their best segmentation. With `sampling`, which is
    `alpha` of `Encode`, they are cut anew for each epoch. `noun` is what to call them in messages.

    Raises DataError if none is left.
    """

    def __init__(
        self,
        text: LinesOfText,
        examples: Examples,
        encode: Encode,
        *,
        filters: Filters,
        sampling: float = 0.0,
        noun: str = "pairs",
    ) -> None:
        self.sampling = sampling
        self._text = text
        self._examples = examples
        self._encode = encode
        rows = text.kept_rows()
        usable = apply_filters(
            filters,
            examples.lengths.source,
            examples.lengths.target,
            repeated=lambda: text.is_repeated()[rows],
        )
        usable.require_any(noun)
        self.losses = usable.losses(noun)  # what is left out and why, in words
        self.cuts = usable.cuts(noun)  # what is used up to a length, in words
        self._places = usable.places
        self._rows = rows[usable.places]
        self._most = filters.max_length if filters.too_long == CUT else None
        own = examples.lengths.of(self._places)
        most = filters.max_length
        self.lengths = Lengths(np.minimum(own.source, most), np.minimum(own.target, most))

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, indices: Integers) -> list[Example]:
        """Return some of the examples in their best segmentation."""
        return self._cut(self._examples.take(self._places[indices]))

    def sample(self, indices: Integers, *, seed: int) -> list[Example]:
        """Return some of the examples, cut into tokens at random."""
        lines = self._text.lines(self._rows[indices])
        return self._cut(self._encode(lines, alpha=self.sampling, seed=seed))

    def place(self, index: int) -> str:
        """Say where an example comes from, as in "train.de, line 17"."""
        return self._text.place(int(self._rows[index]))

    def of_epoch(self, *, seed: int, epoch: int) -> Integers:
        """Return the indices of the examples that an epoch has, by the weights of their parts.

        Each part goes round and round, every round in an order of its own: with a weight of 2 an
        epoch has two rounds, with one of 0.5 it has half a round and the next the other half.
        Raises ConfigError if that is nothing.
        """
        indices = np.concatenate(
            [
                start + _turns(stop - start, weight, epoch, [seed, number])
                for number, (start, stop, weight) in enumerate(self._parts())
            ]
        )
        if not len(indices):
            raise ConfigError(
                "data.weights are so small that an epoch has nothing to learn from",
                fix="Raise them: 1 sees each line once in an epoch",
            )
        return indices

    @cached_property
    def growth(self) -> tuple[float, float]:
        """How many times as long source and target are on average when they are sampled."""
        indices = np.arange(0, len(self), len(self) // LINES_FOR_RATIO + 1)
        sampled = Examples.of(self.sample(indices, seed=0)).lengths
        best = self.lengths.of(indices)
        return (
            float(sampled.source.sum() / best.source.sum()),
            float(sampled.target.sum() / best.target.sum()),
        )

    def mean_lengths(self) -> tuple[float, float]:
        """Return tokens of a source and of a target, the mark of the end included."""
        return float(self.lengths.source.mean()) + 1, float(self.lengths.target.mean()) + 1

    def _parts(self) -> list[tuple[int, int, float]]:
        """The parts of the text as indices of examples."""
        starts, stops, weights = zip(*self._text.parts(), strict=True)
        first, behind = (np.searchsorted(self._rows, rows).tolist() for rows in (starts, stops))
        return list(zip(first, behind, weights, strict=True))

    def _cut(self, examples: list[Example]) -> list[Example]:
        if self._most is None:
            return examples
        return [Example(*(side[: self._most] for side in example)) for example in examples]


def _turns(size: int, weight: float, epoch: int, seed: Sequence[int]) -> Integers:
    """The numbers below `size` that have their turn in an epoch, of all rounds one by one."""
    start, stop = round(weight * epoch * size), round(weight * (epoch + 1) * size)
    turns: list[Integers] = []
    while start < stop:
        number, place = divmod(start, size)
        if place == 0 and stop - start >= size:  # the whole round, whose order does not matter
            turns.append(np.arange(size, dtype=smallest_type(size)))
        else:
            order = np.random.default_rng([*seed, number]).permutation(size)
            turns.append(order[place : place + stop - start])
        start += len(turns[-1])
    return np.concatenate(turns) if turns else np.arange(0)
