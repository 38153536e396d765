import numpy as np
from numpy.typing import NDArray

from seqcli.smt.options import Options
from tests.smt.toy_phrases import (
    SENTENCES,
    decode,
    features_of,
    make_toy,
    path_of,
    random_weights,
)


def test_reported_features_are_those_counted_by_definition() -> None:
    ids, copies = SENTENCES[2], SENTENCES[2]
    toy, weights = make_toy(7), random_weights(7)
    options, found = decode(toy, ids, weights, count=30)
    for rank in range(30):
        path = path_of(options, found, rank)
        expected = features_of(toy, path, len(ids), copies)
        np.testing.assert_allclose(found.features[rank], expected, atol=1e-5)
    np.testing.assert_allclose(found.features @ weights, found.scores, atol=1e-6)


def test_distinct_derivations_are_the_best_of_each_output() -> None:
    ids = SENTENCES[1]
    toy, weights = make_toy(4), random_weights(11)
    options, found = decode(toy, ids, weights, count=20, distinct=True)
    _, every = decode(toy, ids, weights, count=5000)
    best: dict[tuple[int, ...], float] = {}
    all_options, _ = decode(toy, ids, weights, count=1)
    for rank, score in enumerate(every.scores):
        chosen = every.options[every.starts[rank] : every.starts[rank + 1]]
        best.setdefault(words_of(all_options, chosen), score)
    np.testing.assert_allclose(found.scores, list(best.values())[:20], atol=1e-9)
    outputs = [
        words_of(options, found.options[found.starts[rank] : found.starts[rank + 1]])
        for rank in range(20)
    ]
    assert outputs == list(best)[:20]


def words_of(options: Options, chosen: NDArray[np.int32]) -> tuple[int, ...]:
    starts, ids = options.target_starts, options.target_ids
    return tuple(
        int(word) for option in chosen for word in ids[starts[option] : starts[option + 1]]
    )
