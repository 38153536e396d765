"""Pairwise ranked optimisation over k-best lists (Hopkins and May, 2011)."""

import numpy as np

from seqcli.smt.arrays import Floats
from seqcli.smt.candidates import Candidates
from seqcli.smt.kernel import kernel
from seqcli.smt.tuning_metrics import score_sum

NUM_TRIED = 5000  # pairs drawn a sentence
SPREAD = 0.3  # standard deviations of scores below the best, where a chance is 1 / e of its
NUM_KEPT = 50  # of these, the pairs that differ most
LEAST_DIFFERENCE = 0.05  # in the metric
SHARES = np.arange(1, 21) / 20  # of new weights that are tried; the rest stays
PRIOR = 1e-4  # pulls the weights to zero: half its product with their squares, a pair
STEPS = 30  # of Newton's method


def pro(candidates: Candidates, weights: Floats, *, seed: int) -> Floats:
    """Move the weights towards those that order pairs of translations as the metric does.

    They go as far as ranks the lists best. The whole way often leads too far, as lists hold only
    what old weights like: there is little to learn from them of what these are good for.
    """
    random = np.random.default_rng(seed)
    gains = _gains(candidates, weights)
    pairs = np.concatenate(
        [
            _draw_pairs(gains[first:last], candidates.features[first:last], weights, random)
            for first, last in zip(candidates.starts[:-1], candidates.starts[1:], strict=True)
        ]
    )
    if not len(pairs):
        return weights
    new = _fit(pairs)
    sizes = [np.abs(pairs @ each).mean() for each in (weights, new)]
    new *= sizes[0] / max(sizes[1], 1e-12)  # scores differ as much, so that the weights mix
    return max((weights + share * (new - weights) for share in SHARES), key=candidates.score)


def _gains(candidates: Candidates, weights: Floats) -> Floats:
    """What each candidate would bring to the whole text, in units of one sentence.

    Sentences by themselves, with counts smoothed, would favour output that is too short
    (Nakov et al., 2012).
    """
    background = candidates.counts[candidates.best(weights)].sum(axis=0)
    scores = _scores_with(candidates.counts, background, candidates.metric)
    return (len(candidates.starts) - 1) * scores


@kernel
def _scores_with(counts: Floats, background: Floats, metric: int) -> Floats:
    scores = np.empty(len(counts))
    for candidate in range(len(counts)):
        scores[candidate] = score_sum(counts[candidate], background, metric)
    return scores


def _draw_pairs(
    gains: Floats, features: Floats, weights: Floats, random: np.random.Generator
) -> Floats:
    """Features of the better less those of the worse, for pairs that differ much.

    Most are drawn from what the weights rank high: which of two that are far from the first is
    better does not matter, and there are so many of these that weights would follow them alone.
    """
    model = features @ weights
    chances = np.exp((model - model.max()) / max(SPREAD * model.std(), 1e-12))
    one, other = random.choice(len(gains), (2, NUM_TRIED), p=chances / chances.sum())
    differences = gains[one] - gains[other]
    kept = np.argsort(-np.abs(differences), kind="stable")[:NUM_KEPT]
    kept = kept[np.abs(differences[kept]) >= LEAST_DIFFERENCE]
    changes = features[one[kept]] - features[other[kept]]
    return np.asarray(changes * np.sign(differences[kept])[:, None])


def _fit(pairs: Floats) -> Floats:
    """Logistic regression by Newton's method: each row should score above zero."""
    scale = np.maximum(np.abs(pairs).max(axis=0), 1e-9)
    rows = pairs / scale
    weights = np.zeros(pairs.shape[1])
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(np.clip(rows @ weights, -500, 500)))
        gradient = rows.T @ wrong / len(rows) - PRIOR * weights
        curvature = (rows.T * (wrong * (1 - wrong))) @ rows / len(rows)
        step = np.linalg.solve(curvature + PRIOR * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(weights / scale)
