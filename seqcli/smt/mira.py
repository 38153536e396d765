"""Batch MIRA over k-best lists (Cherry and Foster, 2012)."""

import numpy as np

from seqcli.smt.arrays import Floats, Places
from seqcli.smt.candidates import Candidates
from seqcli.smt.kernel import kernel, part
from seqcli.smt.tuning_metrics import reference_length, score_sum

EPOCHS = 30
MOST_STEP = 0.01  # C: how far one sentence may move the weights
DECAY = 0.999  # of the sentences before, against which a sentence's score is measured


@kernel
def hope_and_fear(
    model: Floats, counts: Floats, background: Floats, metric: int
) -> tuple[int, int, float]:
    """Return the candidates where model and metric agree and differ most, and the loss.

    `model` holds the candidates' scores. A candidate's metric is what it gives together with the
    background, times the length of their references.
    """
    hope, fear = 0, 0
    best_hope, best_fear = -np.inf, -np.inf
    gains = np.empty(len(model))
    size = reference_length(background, metric) + reference_length(counts[0], metric)
    for candidate in range(len(model)):
        gains[candidate] = score_sum(counts[candidate], background, metric) * size
        if model[candidate] + gains[candidate] > best_hope:
            hope, best_hope = candidate, model[candidate] + gains[candidate]
        if model[candidate] - gains[candidate] > best_fear:
            fear, best_fear = candidate, model[candidate] - gains[candidate]
    return hope, fear, gains[hope] - gains[fear]


@part
def _model_scores(features: Floats, weights: Floats) -> Floats:
    scores = np.zeros(len(features))
    for candidate in range(len(features)):
        for index in range(len(weights)):
            scores[candidate] += features[candidate, index] * weights[index]
    return scores


@kernel
def mira_epochs(
    features: Floats,
    counts: Floats,
    starts: Places,
    orders: Places,
    weights: Floats,
    metric: int,
    most_step: float,
) -> Floats:
    """Run over the sentences once for each row of `orders`; return the mean weights of each.

    A step makes the loss of a sentence as small as it gets within `most_step`.
    """
    averages = np.empty((len(orders), len(weights)))
    background = np.zeros(counts.shape[1]) + 1.0
    for epoch in range(len(orders)):
        total = np.zeros(len(weights))
        for sentence in orders[epoch]:
            first, last = starts[sentence], starts[sentence + 1]
            model = _model_scores(features[first:last], weights)
            hope, fear, loss = hope_and_fear(model, counts[first:last], background, metric)
            change = features[first + hope] - features[first + fear]
            violation = loss - (model[hope] - model[fear])
            length = (change * change).sum()
            if violation > 0 and length > 0:
                weights = weights + min(most_step, violation / length) * change
            best = first + np.argmax(model)
            background = DECAY * background + counts[best]
            total += weights
        averages[epoch] = total / len(orders[epoch])
    return averages


def mira(
    candidates: Candidates, weights: Floats, *, seed: int, most_step: float = MOST_STEP
) -> Floats:
    """New weights for k-best lists: of all runs over them the mean that ranks them best."""
    random = np.random.default_rng(seed)
    count = len(candidates.starts) - 1
    orders = np.array([random.permutation(count) for _ in range(EPOCHS)])
    averages = mira_epochs(
        candidates.features,
        candidates.counts,
        candidates.starts,
        orders,
        np.array(weights, dtype=np.float64),
        candidates.metric,
        most_step,
    )
    return max(averages, key=candidates.score)
