import math

import pytest

from seqcli.training.schedule import FLOOR, SCHEDULES, learning_rate_factor, warmup_within


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


def test_constant_stays_at_the_peak() -> None:
    assert {factor("constant", step) for step in range(10, 200)} == {1.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_warm_up_starts_at_the_peak(schedule: str) -> None:
    assert factor(schedule, 0, warmup=0) == pytest.approx(1.0)


def test_a_short_training_has_its_warm_up_cut_to_an_eighth() -> None:
    assert factor("constant", 24, warmup=400, total=200) == pytest.approx(1.0)
    assert factor("constant", 9, warmup=400, total=200) == pytest.approx(10 / 25)
    assert factor("constant", 199, warmup=400, total=8900) == pytest.approx(200 / 400)
    assert warmup_within(3, warmup_steps=400) == 0
