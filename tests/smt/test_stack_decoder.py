import numpy as np
import pytest

from seqcli.smt.features import FEATURES
from tests.smt.toy_phrases import (
    ALL,
    FIRST_WORD,
    SENTENCES,
    all_derivations,
    decode,
    features_of,
    make_toy,
    path_of,
    random_weights,
    run_search,
)


@pytest.mark.parametrize("distortion_limit", [0, 1, 2, 6])
@pytest.mark.parametrize("ids", SENTENCES)
@pytest.mark.parametrize("has_classes", [True, False])
def test_the_best_derivations_are_those_of_exhaustive_search(
    ids: list[int], has_classes: bool, distortion_limit: int
) -> None:
    toy, weights = make_toy(len(ids)), random_weights(distortion_limit)
    if not has_classes:
        toy = toy._replace(classes=None)
    options, found = decode(toy, ids, weights, count=50, distortion_limit=distortion_limit)
    every = list(all_derivations(toy, ids, distortion_limit))
    scores = [features_of(toy, path, len(ids), ids) @ weights for path in every]
    best = sorted(scores, reverse=True)[:50]
    np.testing.assert_allclose(found.scores, best, atol=1e-6)
    paths = [path_of(options, found, rank) for rank in range(len(best))]
    assert len(set(paths)) == len(paths)
    assert set(paths) <= set(every)


@pytest.mark.parametrize("feature", range(len(FEATURES)), ids=FEATURES)
@pytest.mark.parametrize("sign", [1, -1])
def test_each_feature_alone_is_searched_for_its_best(feature: int, sign: int) -> None:
    toy, ids, weights = make_toy(feature), SENTENCES[2], np.zeros(len(FEATURES))
    weights[feature] = sign
    _, found = decode(toy, ids, weights, count=1, distortion_limit=2)
    every = all_derivations(toy, ids, 2)
    best = max(features_of(toy, path, len(ids), ids)[feature] * sign for path in every)
    assert found.scores[0] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("ids", SENTENCES)
def test_recombination_joins_nodes_and_loses_no_derivation(ids: list[int]) -> None:
    toy, weights = make_toy(8), random_weights(8)
    every = list(all_derivations(toy, ids, 2))
    _, lattice = run_search(toy, ids, weights, distortion_limit=2, size=ALL)
    _, found = decode(toy, ids, weights, count=len(every) + 1, distortion_limit=2)
    assert len(found.scores) == len(every)
    num_ways = len(lattice.arcs.node) - (lattice.arcs.option < 0).sum()
    assert len(ids) == 1 or len(lattice.node_arc) - 2 < num_ways


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_small_stack_reports_what_its_derivations_are_worth(size: int) -> None:
    ids = [FIRST_WORD + place * 3 % 5 for place in range(70)]
    toy, weights = make_toy(3), random_weights(3)
    options, found = decode(toy, ids, weights, count=3, size=size)
    np.testing.assert_allclose(found.features @ weights, found.scores, atol=1e-6)
    covered = sorted(
        word for begin, end, _ in path_of(options, found, 0) for word in range(begin, end)
    )
    assert covered == list(range(len(ids)))


def test_jumps_are_within_the_limit_and_gaps_within_reach() -> None:
    ids = [FIRST_WORD + place % 4 for place in range(20)]
    toy, weights = make_toy(5), random_weights(5)
    weights[FEATURES.index("distortion")] = -1  # jumps are worth something
    options, found = decode(toy, ids, weights, count=20, distortion_limit=3, size=20)
    jumps = 0
    for rank in range(20):
        last_end, covered = 0, set[int]()
        for begin, end, _ in path_of(options, found, rank):
            assert abs(begin - last_end) <= 3
            covered |= set(range(begin, end))
            gap = min(set(range(len(ids) + 1)) - covered)
            assert end - gap <= 3
            jumps += begin != last_end
            last_end = end
    assert jumps > 20
