"""Learning-rate schedules: the factor of the peak rate at a step, warm-up included."""

import math
from collections.abc import Callable

FLOOR = 0.01  # of the peak, at the end of cosine decay
LONGEST_WARMUP = 1 / 8  # of all steps: in a short training as well the peak comes early


def cosine(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Half a cosine from the peak to the floor over the whole run (Loshchilov and Hutter, 2017)."""
    progress = min(1.0, step / max(1, total_steps))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress))


def inverse_square_root(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Falls with the square root of the step after warm-up (Vaswani et al., 2017)."""
    return math.sqrt(max(1, warmup_steps) / max(1, warmup_steps, step))


def constant(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Stays at the peak."""
    return 1.0


SCHEDULES: dict[str, Callable[..., float]] = {
    "cosine": cosine,
    "inverse-square-root": inverse_square_root,
    "constant": constant,
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
