import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.training.stopping import AVERAGES, Selection

SCORES = st.lists(st.integers(0, 9).map(float), max_size=20)


@given(SCORES, st.integers(1, 6), st.booleans())
def test_the_best_are_kept_best_first_and_the_earlier_among_equals(
    scores: list[float], keep: int, higher_is_better: bool
) -> None:
    selection = Selection(keep=keep, patience=0, higher_is_better=higher_is_better)
    for step, score in enumerate(scores):
        selection.add(score, step)
    sign = -1 if higher_is_better else 1
    expected = sorted(range(len(scores)), key=lambda step: (sign * scores[step], step))[:keep]
    assert selection.steps == expected


@given(SCORES)
def test_only_a_score_above_all_before_is_a_new_best(scores: list[float]) -> None:
    selection = Selection(keep=1, patience=0, higher_is_better=True)
    for step, score in enumerate(scores):
        assert selection.add(score, step) == all(score > before for before in scores[:step])


@pytest.mark.parametrize(
    ("higher_is_better", "scores"), [(True, [5, 7, 7, 6, 3]), (False, [5, 3, 3, 4, 9])]
)
def test_patience_ends_after_that_many_validations_without_a_new_best(
    higher_is_better: bool, scores: list[float]
) -> None:
    selection = Selection(keep=2, patience=3, higher_is_better=higher_is_better)
    exhausted = []
    for step, score in enumerate(scores):
        selection.add(score, step)
        exhausted.append(selection.exhausted)
    assert exhausted == [False, False, False, False, True]


def test_scores_of_the_warm_up_do_not_count_for_patience_but_for_the_best() -> None:
    selection = Selection(keep=1, patience=2, higher_is_better=True)
    for step, (score, in_warmup) in enumerate(
        [(5.0, True), (1.0, True), (1.0, True), (1.0, False), (6.0, True), (2.0, False)]
    ):
        selection.add(score, step, in_warmup=in_warmup)
        assert not selection.exhausted
    assert selection.best == [(6.0, 4)]
    selection.add(3.0, 6)
    assert selection.exhausted


def test_a_patience_of_zero_never_ends() -> None:
    selection = Selection(keep=1, patience=0, higher_is_better=True)
    for step in range(50):
        selection.add(-step, step)
    assert not selection.exhausted


@given(SCORES, st.integers(1, 6))
def test_the_last_checkpoints_are_kept_whatever_their_scores(
    scores: list[float], keep: int
) -> None:
    selection = Selection(keep=keep, patience=0, higher_is_better=True, average="last")
    for step, score in enumerate(scores):
        selection.add(score, step)
    assert selection.steps == list(range(len(scores)))[::-1][:keep]
    assert (
        selection.best[:1]
        == [(score, scores.index(score)) for score in scores if score == max(scores)][:1]
    )


@given(SCORES, st.integers(0, 20), st.sampled_from(AVERAGES))
def test_restored_it_goes_on_as_if_it_had_never_stopped(
    scores: list[float], stop: int, average: str
) -> None:
    how = {"keep": 3, "patience": 4, "higher_is_better": True, "average": average}
    whole, stopped, resumed = (Selection(**how) for _ in range(3))
    for step, score in enumerate(scores):
        whole.add(score, step)
        (stopped if step < stop else resumed).add(score, step)
        if step == stop - 1:
            resumed.restore(json.loads(json.dumps(stopped.state())))
    assert (resumed if stop < len(scores) else stopped) == whole


@pytest.mark.parametrize(("before", "now"), [("best", "last"), ("last", "best")])
def test_with_another_choice_only_checkpoints_that_were_kept_are_averaged(
    before: str, now: str
) -> None:
    selection = Selection(keep=3, patience=0, higher_is_better=True, average=before)
    for step, score in enumerate([5.0, 4.0, 3.0, 2.0, 1.0]):
        selection.add(score, step)
    kept = set(selection.steps)
    other = Selection(keep=3, patience=0, higher_is_better=True, average=now)
    other.restore(selection.state())
    other.add(4.5, 5)
    assert 5 in other.steps
    assert set(other.steps) <= {*kept, 5}


def test_a_state_of_the_first_version_names_the_best_alone() -> None:
    selection = Selection(keep=3, patience=0, higher_is_better=True)
    selection.restore({"best": [[2.0, 8], [1.0, 4]], "validations_since_best": 1})
    assert selection.steps == [8, 4]
    assert selection.best[0] == (2.0, 8)
    assert selection.validations_since_best == 1
