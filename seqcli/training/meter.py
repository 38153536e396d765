"""Means over the updates since the last report."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_NATS_PER_TOKEN = 100.0  # a uniform guess among a million entries costs 14


class Meter:
    """Sums that stay on the device, so that an update need not wait for it, until they are read."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.batches = 0
        self._sums: Tensor | None = None
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def add(self, *, nats: Tensor, tokens: Tensor, gradient_norm: Tensor) -> None:
        """Take in the three scalars of one update."""
        numbers = torch.stack([nats.double(), tokens.double(), gradient_norm.double()])
        self._sums = numbers if self._sums is None else self._sums + numbers
        self.batches += 1

    def read(self) -> "Means":
        """Wait for the device and give the means; at least one update must have been added."""
        assert self._sums is not None
        nats, tokens, gradient_norm = self._sums.tolist()
        return Means(nats / tokens, tokens / self.seconds, gradient_norm / self.batches)


@dataclass(frozen=True, slots=True)
class Means:
    """What the updates were like on average."""

    nats_per_token: float
    tokens_per_second: float
    gradient_norm: float

    @property
    def diverged(self) -> bool:
        """Whether a loss or a gradient was no number, or the loss is beyond all reason."""
        return not (self.nats_per_token < MOST_NATS_PER_TOKEN and math.isfinite(self.gradient_norm))
