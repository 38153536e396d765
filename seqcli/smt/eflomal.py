"""Word alignment by a Bayesian model with sampling (Östling and Tiedemann, 2016), as eflomal does.

Each word of one text has its origin in the other. A chain of samples starts from random links and
looks first at pairs of words alone (as IBM Model 1), then at the order of origins too (as a hidden
Markov model), then at how many words an origin makes. Several chains vote.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.cooccurrences import Cooccurrences, find_cooccurrences
from seqcli.smt.corpus import Sentences
from seqcli.smt.gibbs import (
    ALL_JUMPS,
    BY_WORDS,
    LARGEST_FERTILITY,
    STAGES,
    Chain,
    Direction,
    Votes,
    count_jumps_and_fertilities,
    link_at_random,
    most_voted,
    sweep,
)
from seqcli.smt.links import DirectedLinks

NUM_CHAINS = 3  # of each direction
NUM_VOTES = 4  # the last sweeps of a chain vote
NO_VOTES = Votes(np.empty(0, np.uint16), np.empty(0, np.uint16))
SWEEPS_OF_ONE_PAIR = 5000  # in the last stage; they fall with the square root of the pairs


def align_by_sampling(
    source: Sentences,
    target: Sentences,
    *,
    seed: int,
    threads: int,
    tell: Callable[[str], None] | None = None,
) -> DirectedLinks:
    """Align in both directions. A seed gives the same links for any number of threads."""
    cooccurrences = find_cooccurrences(source, target)
    directions = (
        view_from(source, target, cooccurrences, swapped=False),
        view_from(target, source, cooccurrences, swapped=True),
    )
    sequences = np.random.SeedSequence(seed).spawn(len(directions) * NUM_CHAINS)
    seeds = [sequence.generate_state(1, np.uint64).astype(np.uint64) for sequence in sequences]
    ballots = [_Ballot(direction) for direction in directions]
    chains: list[Future[None]] = []
    with ThreadPoolExecutor(threads) as pool:
        for ballot in ballots:  # those of a direction run by the time that the next one's begin
            before = list(chains)
            for _ in range(NUM_CHAINS):
                chains.append(pool.submit(_run_chain, ballot, seeds[len(chains)], before))
        for number, chain in enumerate(chains, start=1):
            chain.result()
            if tell is not None:
                tell(f"chain {number} of {len(chains)}")
    return DirectedLinks(*(ballot.links for ballot in ballots))


def sweeps_of(num_pairs: int) -> tuple[int, int, int]:
    """How many sweeps each stage has: fewer where more text says more of each word."""
    last = max(2, round(SWEEPS_OF_ONE_PAIR / math.sqrt(max(1, num_pairs))))
    return max(2, last // 4), max(1, last // 4), last


class _Ballot:
    """Where the chains of a direction vote, one at a time, and the links that they settle on.

    Votes need room for each cell, so they are kept from the first chain's to the last one's only.
    """

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.links = np.empty(0, np.int32)
        self._lock = Lock()
        self._votes = NO_VOTES
        self._num_chains = 0

    def add(self, chain: Chain, num_votes: int) -> None:
        """Let a chain vote in its last sweeps."""
        direction = self.direction
        with self._lock:
            if self._num_chains == 0:
                cells, nulls = (
                    np.zeros(len(of), np.uint16) for of in (direction.cells, chain.links)
                )
                self._votes = Votes(cells, nulls)
            for _ in range(num_votes):
                sweep(direction, chain, STAGES[-1], self._votes)
            self._num_chains += 1
            if self._num_chains == NUM_CHAINS:
                self.links = most_voted(direction, self._votes)
                self._votes = NO_VOTES


def _run_chain(ballot: _Ballot, random: NDArray[np.uint64], before: Sequence[Future[None]]) -> None:
    """Sample, and vote at the end, once the chains `before` have voted."""
    direction = ballot.direction
    chain = start_chain(direction, random)
    for stage, num_sweeps in zip(STAGES, sweeps_of(len(direction.made_starts) - 1), strict=True):
        if stage != BY_WORDS:
            count_jumps_and_fertilities(direction, chain)
        num_votes = min(NUM_VOTES, num_sweeps) if stage == STAGES[-1] else 0
        for _ in range(num_sweeps - num_votes):
            sweep(direction, chain, stage, NO_VOTES)
    wait(before)
    ballot.add(chain, num_votes)


def view_from(
    origin: Sentences, made: Sentences, cooccurrences: Cooccurrences, *, swapped: bool
) -> Direction:
    """A corpus as the text of one side comes from the other, `swapped` if that is the target."""
    starts, cells, _, pair_targets = cooccurrences
    return Direction(*origin, *made, starts, cells, len(pair_targets), swapped)


def start_chain(direction: Direction, random: NDArray[np.uint64]) -> Chain:
    """A chain with random links; `random` is the state that its random numbers start from."""
    num_origins = int(direction.origin_ids.max(initial=0)) + 1
    num_made = int(direction.made_ids.max(initial=0)) + 1
    chain = Chain(
        links=np.empty(len(direction.made_ids), np.int32),
        counts=np.zeros(direction.num_pairs + num_made, np.int32),
        origin_counts=np.zeros(num_origins + 1, np.int32),
        jump_counts=np.zeros(ALL_JUMPS + 1),
        fertility_counts=np.zeros((num_origins, LARGEST_FERTILITY + 1), np.int32),
        random=random,
    )
    link_at_random(direction, chain)
    return chain
