"""Batches of a budget: nothing lost, nothing over, little padding."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqcli.data.batching import Budget, PendingExamples, cut, cut_into, token_batches
from seqcli.data.dataset import Example, Examples, Lengths

lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=80)
widths = st.lists(st.integers(1, 60), min_size=1, max_size=80).map(np.array)


def lengths_of(pair_lengths: list[tuple[int, int]]) -> Lengths:
    pairs = np.array(pair_lengths, np.uint16).reshape(-1, 2)
    return Lengths(pairs[:, 0], pairs[:, 1])


def random_lengths(count: int = 3000) -> list[tuple[int, int]]:
    """As in translation: widely spread, target near source."""
    generator = random.Random(1)
    sources = [generator.randint(3, 50) for _ in range(count)]
    return [(source, max(1, source + generator.randint(-2, 2))) for source in sources]


def batches_of(
    pair_lengths: list[tuple[int, int]], batch_tokens: int, **how: int
) -> list[list[int]]:
    settings = {"seed": 1, "epoch": 0} | how
    found = token_batches(lengths_of(pair_lengths), batch_tokens=batch_tokens, **settings)
    return [batch.tolist() for batch in found]


def padded(pair_lengths: list[tuple[int, int]], batch: list[int]) -> tuple[int, int]:
    """Source and target positions of a batch, end marks and padding included."""
    longest_source = max(pair_lengths[index][0] for index in batch) + 1
    longest_target = max(pair_lengths[index][1] for index in batch) + 1
    return len(batch) * longest_source, len(batch) * longest_target


@given(lengths, st.integers(1, 300), st.integers(0, 3), st.integers(0, 9))
def test_every_pair_is_in_exactly_one_batch(
    pair_lengths: list[tuple[int, int]], batch_tokens: int, epoch: int, batch_sentences: int
) -> None:
    batches = batches_of(pair_lengths, batch_tokens, epoch=epoch, batch_sentences=batch_sentences)
    assert all(batches)
    assert sorted(itertools.chain(*batches)) == list(range(len(pair_lengths)))


@given(lengths, st.integers(1, 300))
@example([(4, 1), (4, 1)], 4)  # two sources of 5 positions, end mark included, are 2 too many
def test_both_sides_stay_within_the_budget_but_for_a_pair_alone(
    pair_lengths: list[tuple[int, int]], batch_tokens: int
) -> None:
    for batch in batches_of(pair_lengths, batch_tokens):
        source_positions, target_positions = padded(pair_lengths, batch)
        if len(batch) > 1:
            assert target_positions <= batch_tokens
            assert source_positions <= 2 * batch_tokens


def there_and_back(pair: tuple[int, int]) -> tuple[int, int]:
    """Sources rise beside an even target length and fall beside an odd one."""
    source, target = pair
    return target, -source if target % 2 else source


@given(lengths, st.integers(1, 300))
def test_batches_are_those_that_taking_pair_after_pair_gives(
    pair_lengths: list[tuple[int, int]], batch_tokens: int
) -> None:
    """One by one into the batch under way, as long as it stays within the budget."""
    ordered = sorted(pair_lengths, key=there_and_back)
    expected: list[list[tuple[int, int]]] = []
    for pair in ordered:
        longer = [*expected[-1], pair] if expected else []
        size = len(longer) * max((max(t + 1, (s + 2) // 2) for s, t in longer), default=0)
        if longer and size <= batch_tokens:
            expected[-1] = longer
        else:
            expected.append([pair])
    found = [
        sorted(pair_lengths[index] for index in batch)
        for batch in batches_of(pair_lengths, batch_tokens)
    ]
    assert sorted(found) == sorted(map(sorted, expected))


def test_a_budget_of_sentences_fills_every_batch_but_the_last() -> None:
    pair_lengths = random_lengths(100)
    batches = batches_of(pair_lengths, 7, batch_sentences=30)
    assert sorted(map(len, batches)) == [10, 30, 30, 30]
    spans = [{pair_lengths[index][1] for index in batch} for batch in batches]
    assert sum(max(span) - min(span) for span in spans) <= 50 + len(batches)  # sorted by length


def test_batches_depend_on_seed_and_epoch_only() -> None:
    pair_lengths = random_lengths()
    first = batches_of(pair_lengths, 500)
    assert batches_of(pair_lengths, 500) == first
    states = random.getstate(), np.random.get_state()[1].tolist()
    for seed, epoch in ((1, 1), (2, 0)):
        others = batches_of(pair_lengths, 500, seed=seed, epoch=epoch)
        # not only in another order: of other pairs
        common = set(map(frozenset, first)) & set(map(frozenset, others))
        assert len(common) < 0.1 * len(first)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


def test_batches_come_in_no_order_of_length() -> None:
    pair_lengths = random_lengths()
    batches = batches_of(pair_lengths, 500)
    longest = [max(pair_lengths[index][1] for index in batch) for batch in batches]
    ascending = sum(one <= other for one, other in itertools.pairwise(longest))
    assert 0.3 < ascending / len(longest) < 0.7


@pytest.mark.parametrize("batch_tokens", [500, 2000])
def test_batches_are_full_of_real_tokens(batch_tokens: int) -> None:
    pair_lengths = random_lengths()
    batches = batches_of(pair_lengths, batch_tokens)
    sources, targets = zip(*(padded(pair_lengths, batch) for batch in batches), strict=True)
    assert sum(source + 1 for source, _ in pair_lengths) >= 0.9 * sum(sources)
    assert sum(target + 1 for _, target in pair_lengths) >= 0.95 * sum(targets)
    assert sum(targets) >= 0.9 * batch_tokens * len(batches)


def test_lengths_of_any_type_are_not_too_large_to_be_sorted() -> None:
    """A key of both is larger than the type of either."""
    pairs = [(250, 255), (3, 250), (255, 3), (255, 255)]
    small = np.array(pairs, np.uint8)
    batches = token_batches(Lengths(small[:, 0], small[:, 1]), batch_tokens=1, seed=1, epoch=0)
    assert sorted(batch.tolist() for batch in batches) == [[0], [1], [2], [3]]
    whole = token_batches(Lengths(small[:, 0], small[:, 1]), batch_tokens=10**6, seed=1, epoch=0)
    assert [pairs[index] for index in whole[0]] == sorted(pairs, key=there_and_back)


def sizes_of(ends: list[int]) -> list[int]:
    return np.diff([0, *ends]).tolist()


@given(widths, st.integers(1, 80))
def test_any_number_of_groups_can_be_cut(row: "np.ndarray", wanted: int) -> None:
    num_groups = min(wanted, len(row))
    sizes = sizes_of(cut_into(row, num_groups))
    assert len(sizes) == num_groups
    assert min(sizes) > 0
    assert sum(sizes) == len(row)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=7).map(np.array), st.integers(1, 7))
def test_the_largest_of_so_many_groups_is_as_small_as_can_be(
    row: "np.ndarray", wanted: int
) -> None:
    """Compared with all ways to cut."""

    def largest(ends: list[int]) -> int:
        starts = [0, *ends[:-1]]
        return max(
            int(row[start:end].max()) * (end - start)
            for start, end in zip(starts, ends, strict=True)
        )

    num_groups = min(wanted, len(row))
    places = range(1, len(row))
    ways = ([*way, len(row)] for way in itertools.combinations(places, num_groups - 1))
    assert largest(cut_into(row, num_groups)) == min(map(largest, ways))


def test_a_larger_budget_is_never_cut_into_more_groups() -> None:
    row = np.array([length for _, length in random_lengths(300)])
    counts = [len(cut(row, most)) for most in range(1, 2000, 7)]
    assert counts == sorted(counts, reverse=True)


def test_a_budget_of_shares_is_that_of_each_together() -> None:
    assert Budget(500) * 3 == Budget(1500)
    assert (Budget(500, 8) * 3).most == 24


def pending(pair_lengths: list[tuple[int, int]]) -> PendingExamples:
    examples = Examples.of([Example([5] * source, [6] * target) for source, target in pair_lengths])
    return PendingExamples(examples, np.arange(len(pair_lengths)), list)


@given(lengths.filter(bool), st.integers(1, 9))
def test_a_split_deals_out_all_rows_evenly(pair_lengths: list[tuple[int, int]], parts: int) -> None:
    batch = pending(pair_lengths)
    dealt = batch.split(parts)
    assert len(dealt) == min(parts, len(batch))
    assert all(len(part) for part in dealt)
    places = [place for part in dealt for place in part.places()]
    assert sorted(places) == sorted(batch.places())
    tokens = [sum(map(len, itertools.chain(*part.make()))) + 2 * len(part) for part in dealt]
    longest = max(sum(pair) + 2 for pair in pair_lengths)
    assert max(tokens) - min(tokens) <= longest
    assert [part.places() for part in batch.split(parts)] == [part.places() for part in dealt]


@given(lengths.filter(bool))
def test_a_batch_says_how_many_positions_it_has(pair_lengths: list[tuple[int, int]]) -> None:
    batch = pending(pair_lengths)
    assert batch.positions() == sum(padded(pair_lengths, list(range(len(pair_lengths)))))
    assert len(batch) == len(pair_lengths)
