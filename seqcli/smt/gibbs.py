"""The compiled half of `eflomal`: Gibbs sampling of the links of a corpus in one direction.

A word that is made draws its origin with a probability in proportion to what is counted over all
other links, priors added (Östling and Tiedemann, 2016): how often the origin makes this word, how
often origins follow each other at such distances, and how often this origin makes one word more.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.kernel import inlined, kernel
from seqcli.smt.links import NULL

WORD_PRIOR = 0.0003  # added to the count of each word that an origin may make
JUMP_PRIOR = 0.5  # added to the count of each jump
FERTILITY_PRIOR = 0.5  # added to the count of each fertility of an origin
NULL_ODDS = 0.2 / 0.8  # of a word without an origin against one with it
LONGEST_JUMP = 64  # longer ones, ahead or back, count as this one
LARGEST_FERTILITY = 15  # larger ones count as this one
VOTE = 1 << 12  # of one chain in one sweep, shared out: integers have one sum in any order, and
# 15 votes fit the 16 bits of `Votes`

BY_WORDS, BY_JUMPS, BY_FERTILITIES = STAGES = (0, 1, 2)  # what counts: each adds to those before
ALL_JUMPS = 2 * LONGEST_JUMP + 1  # the place of their sum in `Chain.jump_counts`


class Direction(NamedTuple):
    """A corpus in which each word of one text, the made, comes from a word of the other or of none.

    The cell of origin i and made word j of pair n is `cell_starts[n] + i * made_length + j`, or
    with `swapped` `cell_starts[n] + j * origin_length + i`.
    """

    origin_ids: NDArray[np.int32]
    origin_starts: NDArray[np.int64]
    made_ids: NDArray[np.int32]
    made_starts: NDArray[np.int64]
    cell_starts: NDArray[np.int64]
    cells: NDArray[np.int32]  # the number of the pair of words in each
    num_pairs: int  # of words
    swapped: bool


class Chain(NamedTuple):
    """The links of one chain of samples, and what is counted over them."""

    links: NDArray[np.int32]  # the origin of each made word, or NULL
    counts: NDArray[np.int32]  # of each pair of words, then of each made word without an origin
    origin_counts: NDArray[np.int32]  # their sum for each origin, and last for none
    jump_counts: NDArray[np.float64]  # with priors, LONGEST_JUMP back to as many ahead, and the sum
    fertility_counts: NDArray[np.int32]  # [origin, fertility]
    random: NDArray[np.uint64]  # the state of `random_number`


class Votes(NamedTuple):
    """How probable each link was in all sweeps that voted, in parts of a VOTE."""

    cells: NDArray[np.uint16]
    nulls: NDArray[np.uint16]  # that a made word has no origin


@inlined
def random_number(state: NDArray[np.uint64]) -> float:
    """The next number in [0, 1) by splitmix64 (Steele, Lea and Flood, 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return np.float64(mixed >> np.uint64(11)) * 2.0**-53


@kernel
def link_at_random(direction: Direction, chain: Chain) -> None:
    """Draw each origin evenly, NULL where there is none; any jump is as good as another."""
    chain.jump_counts[:ALL_JUMPS] = 1
    chain.jump_counts[ALL_JUMPS] = len(direction.origin_ids) / len(direction.origin_starts)
    for n in range(len(direction.made_starts) - 1):
        origins = direction.origin_ids[direction.origin_starts[n] : direction.origin_starts[n + 1]]
        first, end = direction.made_starts[n], direction.made_starts[n + 1]
        chain.links[first:end] = NULL
        if len(origins) == 0:
            continue
        step = 1 if direction.swapped else end - first
        for at in range(first, end):
            i = int(random_number(chain.random) * len(origins))
            cell = (at - first) * (len(origins) if direction.swapped else 1) + i * step
            chain.links[at] = i
            chain.counts[direction.cells[direction.cell_starts[n] + cell]] += 1
            chain.origin_counts[origins[i]] += 1


@kernel
def count_jumps_and_fertilities(direction: Direction, chain: Chain) -> None:
    """Count anew what the first stage does not look at."""
    chain.jump_counts[:ALL_JUMPS] = JUMP_PRIOR
    chain.fertility_counts[:] = 0
    for n in range(len(direction.made_starts) - 1):
        origins = direction.origin_ids[direction.origin_starts[n] : direction.origin_starts[n + 1]]
        first, end = direction.made_starts[n], direction.made_starts[n + 1]
        fertilities = np.zeros(len(origins), np.int64)
        _count_fertilities(chain.links, first, end, fertilities)
        for i in range(len(origins)):
            chain.fertility_counts[origins[i], min(fertilities[i], LARGEST_FERTILITY)] += 1
        if len(origins) == 0 or first == end:
            continue
        previous = -1
        for i in chain.links[first:end]:
            if i != NULL:
                chain.jump_counts[_jump(i - previous)] += 1
                previous = int(i)
        chain.jump_counts[_jump(len(origins) - previous)] += 1
    chain.jump_counts[ALL_JUMPS] = chain.jump_counts[:ALL_JUMPS].sum()


class _Room(NamedTuple):
    """What is noted of the origins of a sentence pair, with room for those of the longest."""

    fertilities: NDArray[np.int64]  # how many words each makes
    factors: NDArray[np.float64]  # what each brings to a word, whichever and wherever
    sums: NDArray[np.float64]  # of the weights of the origins up to each, and last of none


@kernel
def sweep(direction: Direction, chain: Chain, stage: int, votes: Votes) -> None:
    """Draw the origin of each word anew, given all others; vote unless `votes` is empty."""
    longest = np.max(np.diff(direction.origin_starts))
    room = _Room(np.empty(longest, np.int64), np.empty(longest), np.empty(longest + 1))
    for n in range(len(direction.origin_starts) - 1):
        if direction.origin_starts[n] < direction.origin_starts[n + 1]:
            _sweep_pair(direction, n, chain, stage, votes, room)


# To take an array out of a tuple counts references, which costs more than to sample a word. So
# all are taken out once, and what is called has plain arrays and becomes a part of this.
@kernel
def _sweep_pair(
    direction: Direction, n: int, chain: Chain, stage: int, votes: Votes, room: _Room
) -> None:
    origin_ids, origin_starts, made_ids, made_starts, cell_starts, cells = direction[:6]
    links, counts, origin_counts, jumps, fertility_counts, random = chain
    (fertilities, factors, sums), (cell_votes, null_votes) = room, votes
    origins = origin_ids[origin_starts[n] : origin_starts[n + 1]]
    length, first, end = len(origins), made_starts[n], made_starts[n + 1]
    none = len(origin_counts) - 1  # stands for no origin there
    step = 1 if direction.swapped else end - first  # from the cell of an origin to the next
    prior = WORD_PRIOR * (len(counts) - direction.num_pairs)  # of all words that can be made
    _count_fertilities(links, first, end, fertilities[:length])
    for k in range(length):
        known = origin_counts[origins[k]] + prior
        factors[k] = _factor(origins[k], fertilities[k], known, fertility_counts, stage)
    previous = -1  # the origin of the last word before that has one
    for at in range(first, end):
        cell = cell_starts[n] + (at - first) * (length if direction.swapped else 1)
        null, i = direction.num_pairs + made_ids[at], int(links[at])
        following = _next_origin(links, at + 1, end, length)
        for change in (-1, 1):  # the old link is taken away, a new one drawn and added
            if change == 1:
                alone = (counts[null] + WORD_PRIOR) / (origin_counts[none] + prior)
                way = previous, following
                _weigh(sums, length, factors, counts, cells, cell, step, alone, jumps, way)
                if len(null_votes) > 0:
                    _vote(sums, length, cell_votes, cell, step, null_votes, at)
                links[at] = i = _draw(sums, length, random)
            counts[null if i == NULL else cells[cell + i * step]] += change
            origin = none if i == NULL else origins[i]
            origin_counts[origin] += change
            if stage >= BY_JUMPS:
                _count_jumps(jumps, previous, i, following, change)
            if i != NULL:
                known = origin_counts[origin] + prior
                _count_fertility(
                    origins, i, change, known, stage, fertilities, factors, fertility_counts
                )
        previous = previous if i == NULL else i


@inlined
def _weigh(
    sums: NDArray[np.float64],
    length: int,
    factors: NDArray[np.float64],
    counts: NDArray[np.int32],
    cells: NDArray[np.int32],
    cell: int,
    step: int,
    alone: float,
    jumps: NDArray[np.float64],
    way: tuple[int, int],
) -> None:
    """Add up the weights of the origins of a word, the first of which has the `cell`, and of none.

    The word is `alone` with this probability, if its place did not matter. The `way` of origins
    leads from that of the word before over its own to that of the word after.
    """
    previous, following = way
    total = 0.0
    for k in range(length):
        order = jumps[_jump(k - previous)] * jumps[_jump(following - k)]
        total += factors[k] * (counts[cells[cell + k * step]] + WORD_PRIOR) * order
        sums[k] = total
    order = jumps[_jump(following - previous)] * jumps[ALL_JUMPS]
    sums[length] = total + NULL_ODDS * alone * order


@inlined
def _count_fertility(
    origins: NDArray[np.int32],
    i: int,
    change: int,
    known: float,
    stage: int,
    fertilities: NDArray[np.int64],
    factors: NDArray[np.float64],
    fertility_counts: NDArray[np.int32],
) -> None:
    """Let an origin make one word more or less, and renew the factors of all like it."""
    origin = origins[i]
    if stage >= BY_FERTILITIES:
        _move_fertility(fertility_counts, origin, fertilities[i], change)
    fertilities[i] += change
    for k in range(len(origins)):
        if origins[k] == origin:
            factors[k] = _factor(origin, fertilities[k], known, fertility_counts, stage)


@inlined
def _count_fertilities(
    links: NDArray[np.int32], first: int, end: int, fertilities: NDArray[np.int64]
) -> None:
    fertilities[:] = 0
    for at in range(first, end):
        if links[at] != NULL:
            fertilities[links[at]] += 1


@inlined
def _factor(
    origin: int,
    fertility: int,
    known: float,
    fertility_counts: NDArray[np.int32],
    stage: int,
) -> float:
    """One over what is `known` of an origin, times how its fertility favours one word more."""
    factor = 1.0 / known
    if stage >= BY_FERTILITIES:
        now = fertility_counts[origin, min(fertility, LARGEST_FERTILITY)]
        more = fertility_counts[origin, min(fertility + 1, LARGEST_FERTILITY)]
        factor *= (more + FERTILITY_PRIOR) / (now - 1 + FERTILITY_PRIOR)  # its own count left out
    return factor


@inlined
def _move_fertility(
    fertility_counts: NDArray[np.int32], origin: int, fertility: int, change: int
) -> None:
    fertility_counts[origin, min(fertility, LARGEST_FERTILITY)] -= 1
    fertility_counts[origin, min(fertility + change, LARGEST_FERTILITY)] += 1


@inlined
def _next_origin(links: NDArray[np.int32], begin: int, end: int, default: int) -> int:
    """The origin of the first word from `begin` on that has one."""
    for at in range(begin, end):
        if links[at] != NULL:
            return int(links[at])
    return default


@inlined
def _jump(steps: int) -> int:
    """The place of a jump in `jump_counts`."""
    return min(max(steps, -LONGEST_JUMP), LONGEST_JUMP) + LONGEST_JUMP


@inlined
def _count_jumps(
    jumps: NDArray[np.float64], previous: int, i: int, following: int, change: int
) -> None:
    """Count the way from the origin before over this one, if there is one, to the next."""
    if i == NULL:
        jumps[_jump(following - previous)] += change
        jumps[ALL_JUMPS] += change
    else:
        jumps[_jump(i - previous)] += change
        jumps[_jump(following - i)] += change
        jumps[ALL_JUMPS] += 2 * change


@inlined
def _draw(sums: NDArray[np.float64], length: int, random: NDArray[np.uint64]) -> int:
    """An origin with a probability in proportion to its weight, or NULL."""
    drawn = random_number(random) * sums[length]
    i = 0
    while i < length and sums[i] <= drawn:
        i += 1
    return i if i < length else NULL


@inlined
def _vote(
    sums: NDArray[np.float64],
    length: int,
    cell_votes: NDArray[np.uint16],
    cell: int,
    step: int,
    null_votes: NDArray[np.uint16],
    at: int,
) -> None:
    scale = VOTE / sums[length]
    below = 0.0
    for k in range(length):
        cell_votes[cell + k * step] += np.uint16((sums[k] - below) * scale)
        below = sums[k]
    null_votes[at] += np.uint16((sums[length] - below) * scale)


@kernel
def most_voted(direction: Direction, votes: Votes) -> NDArray[np.int32]:
    """The origin of each made word with most votes, the first of equal ones, or NULL."""
    links = np.empty(len(direction.made_ids), np.int32)
    for n in range(len(direction.made_starts) - 1):
        first, end = direction.made_starts[n], direction.made_starts[n + 1]
        length = direction.origin_starts[n + 1] - direction.origin_starts[n]
        step = 1 if direction.swapped else end - first
        for at in range(first, end):
            cell = direction.cell_starts[n] + (at - first) * (length if direction.swapped else 1)
            most = votes.nulls[at]
            links[at] = NULL
            for i in range(length):
                if votes.cells[cell + i * step] > most:
                    most = votes.cells[cell + i * step]
                    links[at] = i
    return links
