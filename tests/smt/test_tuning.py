"""The decoder here ranks fixed lists, so that the best weights are known to exist."""

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from numpy.typing import NDArray

from seqcli.errors import ConfigError
from seqcli.smt.candidates import CandidatePool, NBest
from seqcli.smt.features import FEATURES, NUM_FEATURES, start_weights
from seqcli.smt.mira import hope_and_fear, mira_epochs
from seqcli.smt.pro import pro
from seqcli.smt.tuning import Tuned, TuningConfig, tune
from seqcli.smt.tuning_metrics import METRICS, Units, count_matches, score_of

WORDS = ["the", "a", "man", "dog", "two", "children", "play", "run", "in", "street", "red"]
COUNTS, MISLEADS = map(FEATURES.index, ("distortion", "monotone_from_previous"))


class Lists:
    """Noisy copies of references; one feature counts wrong words, one misleads at first."""

    def __init__(self, seed: int, size: int = 40) -> None:
        random = np.random.default_rng(seed)
        self.references = [
            [str(word) for word in random.choice(WORDS, random.integers(6, 12))]
            for _ in range(size)
        ]
        self.lists: list[NBest] = []
        for reference in self.references:
            outputs, rows = list[tuple[str, ...]](), []
            for _ in range(30):
                is_wrong = random.random(len(reference)) < random.random()
                noise = random.choice(WORDS, len(reference))
                output = np.where(is_wrong, noise, reference)
                row = random.normal(0, 0.1, NUM_FEATURES)
                row[COUNTS] = -float((output != reference).sum()) + random.normal(0, 0.3)
                row[MISLEADS] = -0.15 * row[COUNTS] + random.normal(0, 0.1)
                outputs.append(tuple(output.tolist()))
                rows.append(row)
            self.lists.append(NBest(outputs, np.array(rows)))

    def translate(self, weights: NDArray[np.float64]) -> list[NBest]:
        found = []
        for outputs, features in self.lists:
            best = np.argsort(-features @ weights, kind="stable")[:10]
            found.append(NBest([outputs[index] for index in best], features[best]))
        return found


def run(lists: Lists, method: str, metric: str = "bleu", seed: int = 1) -> Tuned:
    config = TuningConfig(method=method, metric=metric, rounds=5)
    return tune(lists.translate, lists.references, config, start=start_weights(), seed=seed)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("method", ["mira", "pro"])
def test_tuning_raises_the_score_on_its_own_text_and_on_another(method: str, metric: str) -> None:
    lists, other = Lists(1), Lists(2)
    tuned = run(lists, method, metric)
    assert tuned.best.score > tuned.rounds[0].score + 0.1
    assert tuned.best.score == max(done.score for done in tuned.rounds)
    pool_scores = []
    for weights in (start_weights(), tuned.best.weights):
        pool = CandidatePool(other.references, METRICS[metric])
        pool_scores.append(pool.add(other.translate(weights)))
    assert pool_scores[1] > pool_scores[0] + 0.1


@pytest.mark.parametrize("method", ["mira", "pro"])
def test_equal_seeds_give_equal_weights(method: str) -> None:
    lists = Lists(3)
    one, same, other = (run(lists, method, seed=seed) for seed in (1, 1, 20))
    np.testing.assert_array_equal(one.rounds[-1].weights, same.rounds[-1].weights)
    assert (one.rounds[-1].weights != other.rounds[-1].weights).any()


def test_translations_far_from_the_first_do_not_lead_pairs_astray() -> None:
    random, weights = np.random.default_rng(10), start_weights()
    references = [[str(word) for word in random.choice(WORDS, 10)] for _ in range(40)]
    pool = CandidatePool(references, METRICS["bleu"])
    lists = []
    for reference in references:
        outputs, features = [], random.normal(0, 0.01, (60, NUM_FEATURES))
        for number, row in enumerate(features):
            is_far = number >= 6
            wrong = int(random.integers(0, 5)) + 5 * is_far
            outputs.append(("x",) * wrong + tuple(reference[wrong:]))
            row[0] -= 10 * is_far
            row[COUNTS] += wrong if is_far else -wrong  # misleads where it does not matter
        lists.append(NBest(outputs, features))
    pool.add(lists)
    weights[COUNTS] = -1  # the worst is first
    after = pro(pool.candidates, weights, seed=1)
    assert pool.candidates.score(weights) < 0.6 < 0.9 < pool.candidates.score(after)


def test_rounds_are_compared_by_the_score_that_is_given() -> None:
    lists, heard = Lists(4), []

    def score(outputs: Sequence[Sequence[str]]) -> float:
        assert len(outputs) == len(lists.references)
        return -float(len(heard))  # each round worse than the one before

    config = TuningConfig(rounds=3)
    tuned = tune(
        lists.translate,
        lists.references,
        config,
        start=start_weights(),
        seed=1,
        score=score,
        report=heard.append,
    )
    assert tuned.best is tuned.rounds[0]
    assert tuple(heard) == tuned.rounds


@pytest.mark.parametrize("change", [-3, 0, 3])  # words
def test_metrics_equal_those_of_sacrebleu(change: int) -> None:
    lists = Lists(5)
    outputs = [list(nbest.outputs[0]) for nbest in lists.lists]
    outputs = [output[:change] if change < 0 else output + output[:change] for output in outputs]
    lines = [" ".join(output) for output in outputs]
    wanted = [[" ".join(reference) for reference in lists.references]]
    expected = {
        "bleu": sacrebleu.corpus_bleu(lines, wanted, tokenize="none").score,
        "chrf": sacrebleu.corpus_chrf(lines, wanted).score,
    }
    for name, metric in METRICS.items():
        units = Units(metric)
        total = sum(
            count_matches(units(output), units(reference), metric)
            for output, reference in zip(outputs, lists.references, strict=True)
        )
        assert 100 * score_of(total, metric) == pytest.approx(expected[name], abs=0.01)
        lengths = [len(units(reference)) for reference in lists.references]
        assert total[2 * len(total) // 3] == sum(lengths)


def test_the_space_sign_of_pieces_is_no_character() -> None:
    units = Units(METRICS["chrf"])
    np.testing.assert_array_equal(units(["\u2581a", "b", "\u2581", "\u2581c"]), units(["ab", "c"]))


@pytest.mark.parametrize("name", METRICS)
def test_hope_and_fear_are_where_model_and_metric_agree_and_differ_most(name: str) -> None:
    metric, units = METRICS[name], Units(METRICS[name])
    lists, random = Lists(7, size=12), np.random.default_rng(7)
    text = [units(words) for words in (WORDS[:8], [*WORDS[:6], *WORDS[9:]])]
    background = count_matches(*text, metric)
    for (outputs, _), reference in zip(lists.lists, lists.references, strict=True):
        counts = np.array([count_matches(units(o), units(reference), metric) for o in outputs])
        model = random.normal(0, 2, len(outputs))
        length = len(text[1]) + len(units(reference))
        gains = np.array([length * score_of(row + background, metric) for row in counts])
        hope, fear, loss = hope_and_fear(model, counts, background, metric)
        assert hope == np.argmax(model + gains)
        assert fear == np.argmax(model - gains)
        assert loss == pytest.approx(gains[hope] - gains[fear])


@pytest.mark.parametrize("most_step", [1e9, 1e-3])
def test_a_step_ends_the_loss_of_a_sentence_or_goes_as_far_as_it_may(most_step: float) -> None:
    lists, weights = Lists(8, size=1), start_weights()
    pool = CandidatePool(lists.references, METRICS["bleu"])
    pool.add(lists.lists)
    starts, features, counts, metric = pool.candidates
    model = features @ weights
    hope, fear, loss = hope_and_fear(model, counts, np.ones(counts.shape[1]), metric)
    change = features[hope] - features[fear]
    assert change @ weights < loss
    order = np.zeros((1, 1), np.int64)
    after = mira_epochs(features, counts, starts, order, weights, metric, most_step)[0]
    if most_step > 1:
        assert after @ change == pytest.approx(loss)
        np.testing.assert_allclose(np.cross((after - weights)[8:11], change[8:11]), 0, atol=1e-9)
    else:
        np.testing.assert_allclose(after, weights + most_step * change)


def test_lists_grow_by_what_is_new_alone() -> None:
    lists = Lists(6, size=3)
    pool = CandidatePool(lists.references, METRICS["bleu"])
    pool.add(lists.translate(start_weights()))
    size = len(pool.candidates.features)
    pool.add(lists.translate(start_weights()))
    assert len(pool.candidates.features) == size == 30
    pool.add(lists.translate(-start_weights()))
    assert len(pool.candidates.features) > size


def test_lists_keep_the_features_and_counts_of_their_sentences() -> None:
    lists = Lists(9, size=4)
    pool = CandidatePool(lists.references, METRICS["bleu"])
    units, expected = Units(METRICS["bleu"]), [set[tuple[float, ...]]() for _ in range(4)]
    for sign in (1, -1):
        nbest = lists.translate(sign * start_weights())
        pool.add(nbest)
        for rows, (outputs, features), reference in zip(
            expected, nbest, lists.references, strict=True
        ):
            for output, row in zip(outputs, features, strict=True):
                counts = count_matches(units(output), units(reference), METRICS["bleu"])
                rows.add((*row, *counts))
    starts, features, counts, _ = pool.candidates
    for number, rows in enumerate(expected):
        here = slice(starts[number], starts[number + 1])
        found = np.concatenate([features[here], counts[here]], axis=1)
        assert sorted(map(tuple, found.tolist())) == sorted(rows)


def test_sentences_without_translations_change_nothing() -> None:
    empty = NBest([], np.empty((0, NUM_FEATURES)))
    config = TuningConfig(rounds=2)
    tuned = tune(lambda _: [empty], [["a"]], config, start=start_weights(), seed=1)
    np.testing.assert_array_equal(tuned.best.weights, start_weights())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"tuning.method cannot be 'mirra'"):
        TuningConfig(method="mirra")
    with pytest.raises(ConfigError, match=r"tuning.rounds must be at least 2"):
        TuningConfig(rounds=1)
    with pytest.raises(ConfigError, match=r"tuning.num_best must be at least 2"):
        TuningConfig(num_best=1)
    with pytest.raises(ConfigError, match=r"tuning.stack_size must be from 1 to 5000"):
        TuningConfig(stack_size=10**20)
