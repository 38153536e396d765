"""What every metric of the table keeps to."""

import math
from copy import deepcopy

import pytest

from seqcli.errors import DataError
from seqcli.evaluation import METRICS

RIGHT = ["the cat sat on the mat", "a tall man waits right here", "K AH0 T S again"]
BETTER = ["the cat sat on the mat", "a tall man waits for us", "K AH0 T again"]
WORSE = ["the dog lay on a mat", "no one comes", ""]
OTHER = ["on the mat sat the cat", "here a tall man waits now", "K AE1 T S again"]

each_metric = pytest.mark.parametrize("name", METRICS)


@each_metric
def test_right_lines_get_the_best_score(name: str) -> None:
    metric = METRICS[name]()
    best = 100 if metric.higher_is_better else 0
    assert metric.compute(RIGHT, [RIGHT]).value == pytest.approx(best)
    assert metric.compute(RIGHT, [RIGHT, OTHER]).value == pytest.approx(best)


@each_metric
def test_better_lines_get_a_better_score(name: str) -> None:
    metric = METRICS[name]()
    better, worse = (metric.compute(lines, [RIGHT]).value for lines in (BETTER, WORSE))
    assert (better > worse) if metric.higher_is_better else (better < worse)


@each_metric
def test_lines_with_nothing_right_get_a_finite_score(name: str) -> None:
    metric = METRICS[name]()
    for hypotheses, reference in [(["x"], ["y z"]), ([""], ["y z"]), (["x"], [""]), ([""], [""])]:
        value = metric.compute(hypotheses, [reference]).value
        assert math.isfinite(value)
        assert value >= 0


@each_metric
def test_the_order_of_lines_makes_no_difference(name: str) -> None:
    metric = METRICS[name]()
    forward = metric.compute(BETTER, [RIGHT, OTHER])
    backward = metric.compute(BETTER[::-1], [RIGHT[::-1], OTHER[::-1]])
    assert backward.value == pytest.approx(forward.value, rel=1e-12)
    assert backward.signature == forward.signature


@each_metric
def test_the_order_of_references_makes_no_difference(name: str) -> None:
    metric = METRICS[name]()
    forward = metric.compute(BETTER, [RIGHT, OTHER])
    assert metric.compute(BETTER, [OTHER, RIGHT]).value == pytest.approx(forward.value, rel=1e-12)


@each_metric
def test_nothing_is_kept_from_call_to_call_and_nothing_given_is_changed(name: str) -> None:
    metric = METRICS[name]()
    given = [BETTER, [RIGHT, OTHER]]
    before = deepcopy(given)
    first = metric.compute(BETTER, [RIGHT, OTHER])
    metric.compute(WORSE, [RIGHT])
    assert metric.compute(tuple(BETTER), (tuple(RIGHT), tuple(OTHER))) == first
    assert given == before


@each_metric
def test_case_can_be_made_to_make_no_difference(name: str) -> None:
    lower = METRICS[name](lowercase=True).compute(BETTER, [RIGHT])
    shouted = METRICS[name](lowercase=True).compute([line.upper() for line in BETTER], [RIGHT])
    assert shouted == lower
    assert "case:lc" in lower.signature


@each_metric
def test_the_score_carries_the_metric_and_the_number_of_references(name: str) -> None:
    metric = METRICS[name]()
    score = metric.compute(BETTER, [RIGHT, OTHER])
    assert score.name == metric.name
    assert score.signature.startswith("nrefs:2|")


@each_metric
def test_lists_of_different_length_and_empty_ones_are_refused(name: str) -> None:
    metric = METRICS[name]()
    with pytest.raises(DataError, match="has 3 lines but reference list 1 has 2"):
        metric.compute(BETTER, [RIGHT[:2]])
    with pytest.raises(DataError, match="no lines"):
        metric.compute([], [[]])


def test_names_as_printed_differ() -> None:
    assert len({metric.name for metric in METRICS.values()}) == len(METRICS)
