"""Alignment by sampling: it finds what made a text, and chance is all in the seed."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seqcli.smt.cooccurrences import find_cooccurrences
from seqcli.smt.corpus import Sentences
from seqcli.smt.eflomal import (
    NUM_CHAINS,
    NUM_VOTES,
    align_by_sampling,
    start_chain,
    sweeps_of,
    view_from,
)
from seqcli.smt.gibbs import (
    ALL_JUMPS,
    BY_WORDS,
    JUMP_PRIOR,
    LARGEST_FERTILITY,
    LONGEST_JUMP,
    STAGES,
    VOTE,
    Chain,
    Direction,
    Votes,
    count_jumps_and_fertilities,
    sweep,
)
from seqcli.smt.links import NULL
from tests.smt.parallel_texts import random_text


def text(seed: int = 3, num_pairs: int = 300) -> tuple[Sentences, Sentences, list[list[int]]]:
    return random_text(np.random.default_rng(seed), num_pairs)


def test_the_links_that_made_a_text_are_found_in_both_directions() -> None:
    source, target, origins = text()
    links = align_by_sampling(source, target, seed=1, threads=2)
    right = np.concatenate(origins)
    assert np.mean(links.to_source == right) > 0.95
    back = np.concatenate([np.argsort(origin) for origin in origins])
    assert np.mean(links.to_target == back) > 0.95


def test_the_links_depend_on_the_seed_and_not_on_the_number_of_threads() -> None:
    source, other_target = text(num_pairs=60)[0], text(8, num_pairs=60)[1]
    target = Sentences(
        np.resize(other_target.ids, len(source.ids)), source.starts
    )  # no translation
    one, other = (align_by_sampling(source, target, seed=4, threads=n) for n in (1, 6))
    assert np.array_equal(one.to_source, other.to_source)
    assert np.array_equal(one.to_target, other.to_target)
    another = align_by_sampling(source, target, seed=5, threads=1)
    assert not np.array_equal(one.to_source, another.to_source)


def test_a_word_that_nothing_made_stays_alone() -> None:
    source, target, _ = text()
    stray = int(target.ids.max()) + 1
    ids = np.insert(target.ids, target.starts[1:], stray)
    longer = Sentences(ids.astype(np.int32), target.starts + np.arange(len(target.starts)))
    links = align_by_sampling(source, longer, seed=1, threads=1)
    is_stray = longer.ids == stray
    assert np.mean(links.to_source[is_stray] == NULL) > 0.8
    assert np.mean(links.to_source[~is_stray] == NULL) < 0.05


def counted(
    direction: Direction, chain: Chain
) -> tuple[dict[tuple[int, int], int], NDArray[Any], NDArray[Any]]:
    """What plain Python counts over the links: words, jumps, fertilities."""
    words: dict[tuple[int, int], int] = {}
    jumps = np.full(ALL_JUMPS + 1, JUMP_PRIOR)
    fertilities = np.zeros_like(chain.fertility_counts)
    for n in range(len(direction.made_starts) - 1):
        origins = direction.origin_ids[direction.origin_starts[n] : direction.origin_starts[n + 1]]
        here = slice(direction.made_starts[n], direction.made_starts[n + 1])
        links = chain.links[here].tolist()
        for i, word in zip(links, direction.made_ids[here].tolist(), strict=True):
            pair = (NULL if i == NULL else int(origins[i])), word
            words[pair] = words.get(pair, 0) + 1
        way = [-1, *(i for i in links if i != NULL), len(origins)]
        for steps in np.diff(way):
            jumps[LONGEST_JUMP + steps] += 1
        for i, word in enumerate(origins):
            fertilities[word, min(links.count(i), LARGEST_FERTILITY)] += 1
    jumps[ALL_JUMPS] = jumps[:ALL_JUMPS].sum()
    return words, jumps, fertilities


@pytest.mark.parametrize("swapped", [False, True])
def test_what_a_chain_has_counted_is_what_its_links_say(swapped: bool) -> None:
    source, target, _ = text(num_pairs=40)
    cooccurrences = find_cooccurrences(source, target)
    direction = view_from(source, target, cooccurrences, swapped=swapped)
    chain = start_chain(direction, np.array([7], np.uint64))
    votes = Votes(np.zeros(len(direction.cells), np.uint16), np.zeros(len(chain.links), np.uint16))
    for stage in STAGES:
        if stage != BY_WORDS:
            count_jumps_and_fertilities(direction, chain)
        for _ in range(3):
            sweep(direction, chain, stage, votes)
    words, jumps, fertilities = counted(direction, chain)
    np.testing.assert_allclose(chain.jump_counts, jumps)
    assert np.array_equal(chain.fertility_counts, fertilities)
    assert chain.counts.sum() == len(chain.links)
    assert sorted(chain.counts[chain.counts > 0]) == sorted(words.values())
    for origin, count in enumerate(chain.origin_counts[:-1]):
        assert count == sum(times for (e, _), times in words.items() if e == origin)
    assert chain.origin_counts[-1] == sum(n for (e, _), n in words.items() if e == NULL)
    cast = votes.cells.sum() + votes.nulls.sum()  # parts of a vote are cut off
    assert 0 <= 9 * VOTE * len(chain.links) - cast <= 9 * len(direction.cells) * 2


def test_a_cell_takes_four_bytes_and_two_for_the_votes_of_one_direction_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seqcli.smt.eflomal.sweeps_of", lambda _: (1, 1, NUM_VOTES))
    random = np.random.default_rng(2)
    starts = np.arange(0, 30 * 200 + 1, 200)
    source, target = (
        Sentences(random.integers(4, 9, 30 * 200).astype(np.int32), starts) for _ in range(2)
    )
    align_by_sampling(*text(num_pairs=1)[:2], seed=1, threads=1)  # compiled by now
    tracemalloc.start()
    align_by_sampling(source, target, seed=1, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6.5 * 30 * 200 * 200


def test_as_many_votes_as_there_are_fit() -> None:
    assert np.iinfo(np.uint16).max >= NUM_CHAINS * NUM_VOTES * VOTE


def test_a_larger_text_has_fewer_sweeps() -> None:
    assert sweeps_of(100) == (125, 125, 500)
    assert sweeps_of(10**9) == (2, 1, 2)
