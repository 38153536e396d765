"""The batches of an epoch, above all of one whose examples are sampled as they come."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from seqcli.data import epochs
from seqcli.data.batching import Budget, PendingBatch
from seqcli.data.dataset import Dataset, Example, Examples, ListedText, Text
from seqcli.data.epochs import epoch_batches
from seqcli.data.filters import Filters

T = TypeVar("T")

NUM_LINES = 1000
BUDGET = Budget(200)


def encode(text: Text, *, alpha: float, seed: int) -> list[Example]:
    """As many tokens as the line says, and when sampled up to twice as many."""
    generator = np.random.default_rng(seed)
    grown = 1 + generator.random(len(text[0])) if alpha else np.ones(len(text[0]))
    return [
        Example([int(source)] * int(times * int(source)), [int(target)] * int(times * int(target)))
        for source, target, times in zip(*text, grown, strict=True)
    ]


def dataset(sampling: float) -> Dataset:
    draw = np.random.default_rng(1)
    sources = draw.integers(3, 40, NUM_LINES)
    targets = np.maximum(1, sources + draw.integers(-2, 3, NUM_LINES))
    text = ([str(n) for n in sources], [str(n) for n in targets])
    examples = Examples.of(encode(text, alpha=0.0, seed=0))
    return Dataset(ListedText(text), examples, encode, filters=Filters(200), sampling=sampling)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "SHARD", 300)
    monkeypatch.setattr(epochs, "SLICE", 60)


def batches_of(pairs: Dataset, *, epoch: int = 0, seed: int = 1) -> Sequence[PendingBatch]:
    return epoch_batches(pairs, list, budget=BUDGET, seed=seed, epoch=epoch)


def made(batches: Sequence[PendingBatch]) -> list[Any]:
    return [batch.make() for batch in batches]


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_every_line_is_in_exactly_one_batch(sampling: float) -> None:
    batches = batches_of(dataset(sampling))
    assert all(len(batch) == len(batch.make()) > 0 for batch in batches)
    places = Counter(place for batch in batches for place in batch.places())
    assert places == {f"line {number + 1}": 1 for number in range(NUM_LINES)}


def test_the_places_of_a_sampled_batch_are_those_of_its_rows() -> None:
    pairs = dataset(0.5)
    best = pairs.take(np.arange(NUM_LINES))
    for batch in batches_of(pairs):
        for place, example in zip(batch.places(), batch.make(), strict=True):
            assert example.source[0] == best[int(place.removeprefix("line ")) - 1].source[0]


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_batches_depend_on_seed_and_epoch_alone(sampling: float) -> None:
    first = made(batches_of(dataset(sampling)))
    assert made(batches_of(dataset(sampling))) == first
    assert made(batches_of(dataset(sampling), epoch=1)) != first
    assert made(batches_of(dataset(sampling), seed=2)) != first


def test_slices_of_a_shard_can_be_sampled_each_by_another_process() -> None:
    """None depends on those before it, and a shard is divided once."""
    asked = []

    def backwards(make: Callable[[int], T], count: int) -> list[T]:
        asked.append(count)
        return [make(number) for number in reversed(range(count))][::-1]

    divided = epoch_batches(dataset(0.5), list, budget=BUDGET, seed=1, epoch=0, divide=backwards)
    assert made(divided) == made(batches_of(dataset(0.5)))
    assert asked == [5, 5, 5, 5]  # 250 examples each


@pytest.mark.parametrize("first", [1, 50, -1])
def test_an_epoch_can_be_taken_up_in_the_middle(first: int) -> None:
    """Nothing of what comes before need be made."""
    whole = made(batches_of(dataset(0.5)))
    assert made(batches_of(dataset(0.5))[first:]) == whole[first:]


def test_batches_can_be_made_in_any_order_and_again() -> None:
    whole = made(batches_of(dataset(0.5)))
    batches = batches_of(dataset(0.5))
    assert made(batches[::-1]) == whole[::-1]
    assert made(batches) == whole


def padded(examples: Sequence[Example], side: int) -> int:
    return len(examples) * max(len(example[side]) + 1 for example in examples)


def test_sampled_batches_are_full_and_within_the_budget() -> None:
    """They are cut by the lengths that samples turn out to have, not by those of the best ones."""
    batches = made(batches_of(dataset(0.5)))
    sizes = [max(padded(batch, 1), padded(batch, 0) / 2) for batch in batches]
    assert np.mean(sizes) > 0.85 * BUDGET.tokens
    assert np.mean([size <= 1.02 * BUDGET.tokens for size in sizes]) > 0.97
    tokens = sum(len(example.target) + 1 for batch in batches for example in batch)
    assert tokens > 0.9 * sum(padded(batch, 1) for batch in batches)


def test_sampled_batches_are_about_as_large_as_they_say() -> None:
    batches = batches_of(dataset(0.5))
    said = np.array([batch.positions() for batch in batches])
    found = np.array([padded(batch, 0) + padded(batch, 1) for batch in made(batches)])
    assert np.median(said / found) == pytest.approx(1, rel=0.1)


def test_sampled_batches_come_in_no_order_of_length() -> None:
    longest = [
        max(len(example.target) for example in batch) for batch in made(batches_of(dataset(0.5)))
    ]
    ascending = sum(one <= other for one, other in itertools.pairwise(longest))
    assert 0.3 < ascending / len(longest) < 0.7


def test_a_sampled_batch_can_be_split() -> None:
    batch = batches_of(dataset(0.5))[3]
    parts = batch.split(2)
    assert len(parts) == min(2, len(batch))
    assert sorted(made(parts)[0] + made(parts)[-1]) == sorted(batch.make())


def test_a_budget_of_sentences_holds_for_samples() -> None:
    batches = epoch_batches(dataset(0.5), list, budget=Budget(1, 30), seed=1, epoch=0)
    assert 25 <= min(map(len, batches)) <= max(map(len, batches)) <= 30
    assert len(batches) == sum(-(-size // 30) for size in (250, 250, 250, 250))
