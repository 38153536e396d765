import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqcli.data.batch import source_tensors
from seqcli.decoding.beam import beam_search
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.search import Candidate
from seqcli.tokenizers.vocabulary import EOS
from tests.decoding.steppers import (
    TableStepper,
    every_output,
    limit_output,
    random_tables,
    ranked,
    without_end,
)

SIZE, LONGEST = 4, 4
TABLES = 3  # searched in one batch
PENALTIES = (0.0, 0.6, 1.0, 2.0)

seeds = st.integers(0, 2**32)
scales = st.sampled_from([0.1, 1.0, 3.0])
end_biases = st.sampled_from([-8.0, -2.0, 0.0, 2.0])
penalties = st.sampled_from(PENALTIES)


@pytest.fixture(autouse=True)
def short_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_output(monkeypatch, margin=LONGEST)


def tables(seed: int, *, scale: float = 1.0, end_bias: float = 0.0) -> Tensor:
    logits_TPV = random_tables(TABLES, size=SIZE, longest=LONGEST, seed=seed, scale=scale)
    logits_TPV[..., EOS] += end_bias
    return logits_TPV


def search_tables(
    logits_TPV: Tensor, *, width: int, num_best: int = 1, length_penalty: float = 1.0
) -> list[list[Candidate]]:
    sources = [[table, *[1] * table] for table in range(len(logits_TPV))]
    return beam_search(
        TableStepper(logits_TPV),
        *source_tensors(sources),
        width=width,
        num_best=num_best,
        length_penalty=length_penalty,
        max_length_ratio=0,
    )


def assert_found(found: list[Candidate], expected: list[tuple[float, list[int], float]]) -> None:
    assert [candidate.score for candidate in found] == pytest.approx(
        [score for score, _, _ in expected], abs=1e-4
    )
    gaps = [a[0] - b[0] for a, b in itertools.pairwise(expected)]
    if min(gaps, default=1) > 1e-4:  # else their order is a matter of rounding
        assert [candidate.tokens for candidate in found] == [tokens for _, tokens, _ in expected]
        assert [candidate.log_probability for candidate in found] == pytest.approx(
            [log_probability for _, _, log_probability in expected], abs=1e-4
        )


@settings(max_examples=50)
@given(seeds, scales, end_biases, penalties, st.integers(1, 5))
def test_a_wide_beam_finds_the_best_of_all_possible_outputs(
    seed: int, scale: float, end_bias: float, penalty: float, num_best: int
) -> None:
    logits_TPV = tables(seed, scale=scale, end_bias=end_bias)
    found = search_tables(
        logits_TPV, width=SIZE**LONGEST, num_best=num_best, length_penalty=penalty
    )
    for candidates, logits_PV in zip(found, logits_TPV, strict=True):
        best = ranked(every_output(logits_PV, longest=LONGEST), penalty)[:num_best]
        assert_found(
            candidates,
            [(score, without_end(out.tokens), out.log_probability) for score, out in best],
        )


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_wide_beam_lists_all_possible_outputs_in_order(penalty: float) -> None:
    logits_TPV = tables(5)
    found = search_tables(logits_TPV, width=SIZE**LONGEST, num_best=999, length_penalty=penalty)
    for candidates, logits_PV in zip(found, logits_TPV, strict=True):
        everything = ranked(every_output(logits_PV, longest=LONGEST), penalty)
        assert len(candidates) == len(everything) == 1 + 3 + 9 + 27
        assert [one.score for one in candidates] == pytest.approx(
            [score for score, _ in everything], abs=1e-4
        )


@settings(max_examples=25)
@given(seeds, scales, penalties, st.integers(1, 5))
def test_a_wide_beam_finds_the_best_of_outputs_that_are_all_cut_off(
    seed: int, scale: float, penalty: float, num_best: int
) -> None:
    logits_TPV = tables(seed, scale=scale, end_bias=-math.inf)
    found = search_tables(
        logits_TPV, width=SIZE**LONGEST, num_best=num_best, length_penalty=penalty
    )
    for candidates, logits_PV in zip(found, logits_TPV, strict=True):
        best = ranked(every_output(logits_PV, longest=LONGEST), penalty)[:num_best]
        assert_found(
            candidates,
            [(score, list(out.tokens), out.log_probability) for score, out in best],
        )


@dataclass
class Prefix:
    tokens: tuple[int, ...]
    number: int  # its row in the table
    log_probability: float


def plain_beam(
    logits_PV: Tensor, *, width: int, num_best: int, penalty: float
) -> list[tuple[float, list[int], float]]:
    """The same search for one sentence with lists; each hopeless prefix is proved to be so."""
    log_probability_PV = logits_PV.double().log_softmax(1).tolist()
    live, finished, cut_off = [Prefix((), 0, 0.0)], [], []
    hopeless: list[Prefix] = []
    for length in range(1, LONGEST + 1):
        longer = [
            Prefix(
                (*prefix.tokens, token),
                SIZE * prefix.number + token + 1,
                prefix.log_probability + log_probability_PV[prefix.number][token],
            )
            for prefix in live
            for token in range(SIZE)
        ]
        longer.sort(key=lambda prefix: -prefix.log_probability)
        longer = longer[: width - len(finished)]
        norm = ((5 + length) / 6) ** penalty
        for prefix in longer:
            if prefix.tokens[-1] == EOS or length == LONGEST:
                place = finished if prefix.tokens[-1] == EOS else cut_off
                score = prefix.log_probability / norm
                place.append((score, without_end(prefix.tokens), prefix.log_probability))
        finished.sort(reverse=True)
        needed = finished[num_best - 1][0] if len(finished) >= num_best else -math.inf
        longest_norm = ((5 + LONGEST) / 6) ** penalty
        going_on = [prefix for prefix in longer if prefix.tokens[-1] != EOS]
        live = [prefix for prefix in going_on if prefix.log_probability / longest_norm > needed]
        hopeless += [prefix for prefix in going_on if prefix not in live]
    everything = ranked(every_output(logits_PV, longest=LONGEST), penalty)
    for prefix in hopeless:
        scores = [s for s, out in everything if out.tokens[: len(prefix.tokens)] == prefix.tokens]
        assert max(scores, default=-math.inf) <= finished[num_best - 1][0]
    return sorted(finished or cut_off, reverse=True)[:num_best]


@given(seeds, scales, end_biases, penalties, st.integers(1, 9), st.data())
def test_a_narrow_beam_finds_what_a_plain_one_finds_and_drops_no_winner(
    seed: int, scale: float, end_bias: float, penalty: float, width: int, data: st.DataObject
) -> None:
    num_best = data.draw(st.integers(1, width))
    logits_TPV = tables(seed, scale=scale, end_bias=end_bias)
    found = search_tables(logits_TPV, width=width, num_best=num_best, length_penalty=penalty)
    for candidates, logits_PV in zip(found, logits_TPV, strict=True):
        expected = plain_beam(logits_PV, width=width, num_best=num_best, penalty=penalty)
        assert_found(candidates, expected)


def test_a_beam_of_two_finds_what_greedy_search_misses() -> None:
    """Token 3 looks best at first, but only token 1 is followed by a certain end."""
    logits_PV = torch.full((sum(SIZE**length for length in range(LONGEST)), SIZE), 0.25).log()
    logits_PV[0] = torch.tensor([1e-9, 0.4, 1e-9, 0.6]).log()
    logits_PV[1 + 1] = torch.tensor([1e-9, 1e-9, 1.0, 1e-9]).log()
    sources = source_tensors([[0]])
    (greedy,) = greedy_search(TableStepper(logits_PV[None]), *sources, max_length_ratio=0)
    ((beam,),) = search_tables(logits_PV[None], width=2)
    assert greedy[0].tokens[0] == 3
    assert beam.tokens == [1]
    assert beam.log_probability == pytest.approx(math.log(0.4), abs=1e-6)


@settings(max_examples=50)
@given(seeds, end_biases, penalties)
def test_a_beam_of_one_is_greedy_search_in_tables(
    seed: int, end_bias: float, penalty: float
) -> None:
    logits_TPV = tables(seed, end_bias=end_bias)
    sources = source_tensors([[table] for table in range(TABLES)])
    greedy = greedy_search(
        TableStepper(logits_TPV), *sources, length_penalty=penalty, max_length_ratio=0
    )
    beam = search_tables(logits_TPV, width=1, length_penalty=penalty)
    for candidates, (expected,) in zip(beam, greedy, strict=True):
        assert_found(candidates, [(expected.score, expected.tokens, expected.log_probability)])


def test_no_more_than_the_best_asked_for_are_given() -> None:
    for num_best in (1, 2, 3):
        for candidates in search_tables(tables(2), width=3, num_best=num_best):
            assert 1 <= len(candidates) <= num_best
