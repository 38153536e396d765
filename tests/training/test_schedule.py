import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqcli.training.schedule import (
    FLOOR,
    SCHEDULES,
    Plateau,
    learning_rate_factor,
    warmup_within,
)
from seqcli.training.stopping import Selection


def factor(schedule: str, step: int, *, warmup: int = 10, total: int = 100) -> float:
    return learning_rate_factor(schedule, step, warmup_steps=warmup, total_steps=total)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_is_a_straight_line_to_the_peak(schedule: str) -> None:
    assert [factor(schedule, step) for step in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_cosine_falls_from_the_peak_to_the_floor_in_half_a_wave() -> None:
    assert factor("cosine", 0, warmup=0) == 1
    assert factor("cosine", 50) == pytest.approx((1 + FLOOR) / 2)
    assert factor("cosine", 100) == pytest.approx(FLOOR)
    assert factor("cosine", 500) == pytest.approx(FLOOR)
    assert factor("cosine", 25) == pytest.approx(
        FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi / 4)) / 2
    )


def test_inverse_square_root_halves_when_the_step_is_four_times_the_warm_up() -> None:
    assert factor("inverse-square-root", 40) == pytest.approx(0.5)
    assert factor("inverse-square-root", 90) == pytest.approx(1 / 3)


def test_linear_falls_from_the_peak_to_the_floor_in_equal_steps() -> None:
    assert factor("linear", 0, warmup=0) == 1
    assert factor("linear", 50) == pytest.approx((1 + FLOOR) / 2)
    assert factor("linear", 80) - factor("linear", 90) == pytest.approx((1 - FLOOR) / 10)
    assert factor("linear", 100) == factor("linear", 500) == pytest.approx(FLOOR)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_constant_and_plateau_stay_at_the_peak(schedule: str) -> None:
    assert {factor(schedule, step) for step in range(10, 200)} == {1.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_warm_up_starts_at_the_peak(schedule: str) -> None:
    assert factor(schedule, 0, warmup=0) == pytest.approx(1.0)


def test_a_short_training_has_its_warm_up_cut_to_an_eighth() -> None:
    assert factor("constant", 24, warmup=400, total=200) == pytest.approx(1.0)
    assert factor("constant", 9, warmup=400, total=200) == pytest.approx(10 / 25)
    assert factor("constant", 199, warmup=400, total=8900) == pytest.approx(200 / 400)
    assert warmup_within(3, warmup_steps=400) == 0


@given(
    st.lists(st.integers(0, 5).map(float), max_size=40),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.integers(1, 4),
    st.booleans(),
)
def test_the_rate_drops_on_a_plateau_as_that_of_torch(
    scores: list[float], shrink: float, patience: int, higher_is_better: bool
) -> None:
    """torch's drops after more than its patience, ours with the last one that it takes."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = ReduceLROnPlateau(
        optimizer,
        mode="max" if higher_is_better else "min",
        factor=shrink,
        patience=patience - 1,
        threshold=0.0,
        min_lr=FLOOR,
        eps=0.0,
    )
    ours = Plateau(shrink, patience)
    selection = Selection(keep=1, patience=0, higher_is_better=higher_is_better)
    for step, score in enumerate(scores):
        ours.validated(is_best=selection.add(score, step), in_warmup=False)
        theirs.step(score)
        assert ours.factor == pytest.approx(optimizer.param_groups[0]["lr"])


def test_validations_of_the_warm_up_do_not_lower_the_rate() -> None:
    plateau = Plateau(0.5, patience=2)
    for _ in range(5):
        plateau.validated(is_best=False, in_warmup=True)
    plateau.validated(is_best=False, in_warmup=False)
    assert plateau.factor == 1
    plateau.validated(is_best=False, in_warmup=False)
    assert plateau.factor == 0.5


def test_without_patience_the_rate_is_never_lowered() -> None:
    plateau = Plateau(0.5, patience=0)
    for _ in range(5):
        plateau.validated(is_best=False, in_warmup=False)
    assert plateau.factor == 1
