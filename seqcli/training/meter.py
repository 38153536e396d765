"""Means over the updates since the last report."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from seqcli.data.batching import PendingBatch

PLACES_NAMED = 5  # of the lines of a broken batch
MOST_NATS_PER_TOKEN = 100.0  # a uniform guess among a million entries costs 14


@dataclass(frozen=True, slots=True)
class Means:
    """What the updates were like on average."""

    nats_per_token: float
    tokens_per_second: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class BrokenUpdate:
    """An update whose loss or gradient was no number, or whose loss was beyond all reason."""

    number: int  # counted from 0 at the last report
    batch: PendingBatch
    nats_per_token: float
    gradient_norm: float

    @property
    def fault(self) -> str:
        """What is broken: the gradient only where the loss is not."""
        if self.nats_per_token < MOST_NATS_PER_TOKEN:
            return f"the norm of the gradient became {self.gradient_norm}"
        return f"the loss became {self.nats_per_token:.4g} nats a token"

    @property
    def places(self) -> str:
        """Where the lines of the batch come from, the first few of many."""
        places = self.batch.places()
        named = ", ".join(places[:PLACES_NAMED])
        more = len(places) - PLACES_NAMED
        return f"{named} and {more} more" if more > 0 else named


class Meter:
    """The figures of each update, which stay on the device until they are read.

    An update so need not wait for the device, and a broken one is still found with its batch.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._batches: list[PendingBatch] = []
        self._figures: list[Tensor] = []
        self._start = time.monotonic()

    @property
    def updates(self) -> int:
        return len(self._batches)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def add(self, batch: PendingBatch, *, sums: Tensor, gradient_norm: Tensor) -> None:
        """Take in an update: the sum of nats and the number of targets, and one scalar."""
        self._batches.append(batch)
        self._figures.append(torch.cat([sums.double(), gradient_norm.double().reshape(1)]))

    def read(self) -> Means | BrokenUpdate:
        """Wait for the device; give the means, or else the first broken update.

        At least one update must have been added.
        """
        figures = torch.stack(self._figures).tolist()
        for number, (nats, tokens, norm) in enumerate(figures):
            if not (nats / tokens < MOST_NATS_PER_TOKEN and math.isfinite(norm)):
                return BrokenUpdate(number, self._batches[number], nats / tokens, norm)
        nats, tokens, norm = map(sum, zip(*figures, strict=True))
        return Means(nats / tokens, tokens / self.seconds, norm / self.updates)
