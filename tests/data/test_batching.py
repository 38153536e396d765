"""Batches of a token budget: nothing lost, nothing over, little padding."""

import itertools
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example

lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=80)


def examples_of(pair_lengths: list[tuple[int, int]]) -> list[Example]:
    return [Example([5] * source, [6] * target) for source, target in pair_lengths]


def random_examples(count: int = 3000) -> list[Example]:
    """Lengths as in translation: widely spread, target near source."""
    generator = random.Random(1)
    sources = [generator.randint(3, 50) for _ in range(count)]
    return examples_of([(source, max(1, source + generator.randint(-2, 2))) for source in sources])


def padded(examples: list[Example], batch: list[int]) -> tuple[int, int]:
    """Source and target positions of a batch, end marks and padding included."""
    longest_source = max(len(examples[index].source) for index in batch) + 1
    longest_target = max(len(examples[index].target) for index in batch) + 1
    return len(batch) * longest_source, len(batch) * longest_target


@given(lengths, st.integers(1, 300), st.integers(0, 3))
def test_every_pair_is_in_exactly_one_batch(
    pair_lengths: list[tuple[int, int]], batch_tokens: int, epoch: int
) -> None:
    examples = examples_of(pair_lengths)
    batches = token_batches(examples, batch_tokens=batch_tokens, seed=1, epoch=epoch)
    assert all(batches)
    assert sorted(index for batch in batches for index in batch) == list(range(len(examples)))


@given(lengths, st.integers(1, 300))
@example([(4, 1), (4, 1)], 4)  # two sources of 5 positions, end mark included, are 2 too many
def test_both_sides_stay_within_the_budget_but_for_a_pair_alone(
    pair_lengths: list[tuple[int, int]], batch_tokens: int
) -> None:
    examples = examples_of(pair_lengths)
    for batch in token_batches(examples, batch_tokens=batch_tokens, seed=1, epoch=0):
        source_positions, target_positions = padded(examples, batch)
        if len(batch) > 1:
            assert target_positions <= batch_tokens
            assert source_positions <= 2 * batch_tokens


def test_batches_depend_on_seed_and_epoch_only() -> None:
    examples = random_examples()
    first = token_batches(examples, batch_tokens=500, seed=1, epoch=0)
    assert token_batches(examples, batch_tokens=500, seed=1, epoch=0) == first
    state = random.getstate()
    for seed, epoch in ((1, 1), (2, 0)):
        others = token_batches(examples, batch_tokens=500, seed=seed, epoch=epoch)
        # not only in another order: of other pairs
        common = {frozenset(batch) for batch in first} & {frozenset(batch) for batch in others}
        assert len(common) < 0.1 * len(first)
    assert random.getstate() == state


def test_batches_come_in_no_order_of_length() -> None:
    examples = random_examples()
    batches = token_batches(examples, batch_tokens=500, seed=1, epoch=0)
    longest = [max(len(examples[index].target) for index in batch) for batch in batches]
    ascending = sum(one <= other for one, other in itertools.pairwise(longest))
    assert 0.3 < ascending / len(longest) < 0.7


@pytest.mark.parametrize("batch_tokens", [500, 2000])
def test_batches_are_full_of_real_tokens(batch_tokens: int) -> None:
    examples = random_examples()
    batches = token_batches(examples, batch_tokens=batch_tokens, seed=1, epoch=0)
    sources, targets = zip(*(padded(examples, batch) for batch in batches), strict=True)
    assert sum(len(pair.source) + 1 for pair in examples) >= 0.9 * sum(sources)
    assert sum(len(pair.target) + 1 for pair in examples) >= 0.95 * sum(targets)
    assert sum(targets) >= 0.9 * batch_tokens * len(batches)
