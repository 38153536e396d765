"""Learning-rate schedules: the factor of the peak rate at a step, warm-up included."""

import math
from collections.abc import Callable
from dataclasses import dataclass

FLOOR = 0.01  # of the peak, below which no decay leads
LONGEST_WARMUP = 1 / 8  # of all steps: in a short training as well the peak comes early


def cosine(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Half a cosine from the peak to the floor over the whole run (Loshchilov and Hutter, 2017)."""
    progress = min(1.0, step / max(1, total_steps))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))


def linear(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """A straight line from the peak to the floor over the whole run."""
    progress = min(1.0, step / max(1, total_steps))
    return 1 - (1 - FLOOR) * progress


def inverse_square_root(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Falls with the square root of the step after warm-up (Vaswani et al., 2017)."""
    return math.sqrt(max(1, warmup_steps) / max(1, warmup_steps, step))


def constant(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Stays at the peak; with "plateau" it is `Plateau` that lowers it."""
    return 1.0


PLATEAU = "plateau"
SCHEDULES: dict[str, Callable[..., float]] = {
    "cosine": cosine,
    "linear": linear,
    "inverse-square-root": inverse_square_root,
    "constant": constant,
    PLATEAU: constant,
}


def learning_rate_factor(schedule: str, step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Return the factor for the update after `step` finished ones: linear warm-up, then decay.

    The warm-up is cut as `warmup_within` says.
    """
    warmup_steps = warmup_within(total_steps, warmup_steps=warmup_steps)
    decayed = SCHEDULES[schedule](step, warmup_steps=warmup_steps, total_steps=total_steps)
    return min(decayed, (step + 1) / warmup_steps) if warmup_steps else decayed


def warmup_within(total_steps: int, *, warmup_steps: int) -> int:
    """Return the steps of warm-up in a training of `total_steps`: as wanted, or what fits."""
    return min(warmup_steps, int(LONGEST_WARMUP * total_steps))


@dataclass(slots=True)
class Plateau:
    """Lowers the rate whenever `patience` validations in a row brought nothing better.

    A patience of 0 never does. The two counts are what a training must go on with.
    """

    shrink: float  # the factor of each drop
    patience: int
    drops: int = 0
    fruitless: int = 0  # validations since the last new best or drop

    @property
    def factor(self) -> float:
        return max(FLOOR, self.shrink**self.drops)

    def validated(self, *, is_best: bool, in_warmup: bool) -> None:
        """Take in how a validation compares; one of the warm-up is not held against the rate."""
        self.fruitless = 0 if is_best or in_warmup else self.fruitless + 1
        if 0 < self.patience <= self.fruitless:
            self.drops += 1
            self.fruitless = 0
