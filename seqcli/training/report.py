"""What a training tells those who watch it."""

from dataclasses import dataclass
from typing import Protocol

LOSS = "loss"  # the metric that needs no decoding: nats, where all other scores are percentages


def score_text(metric: str, score: float) -> str:
    """A score in as many digits as tell two models apart."""
    return f"{score:.{4 if metric == LOSS else 2}f}"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, with means since the last report."""

    epoch: int  # counted from 1
    epochs: int
    step: int
    total_steps: int  # an estimate: sampled subwords change the number of batches
    nats_per_token: float  # negative log-likelihood of the training text, dropout included
    tokens_per_second: float  # real targets
    learning_rate: float
    gradient_norm: float  # before it was cut
    seconds_left: float  # until the last epoch ends; early stopping may come first
    unit: str = "target token"  # what is predicted, and what the loss is counted in
    metric: str = ""  # that the best model is chosen by
    best_score: float | None = None  # None before the first validation


@dataclass(frozen=True, slots=True)
class Sample:
    """One validation line, what the model makes of it, and what it should be."""

    source: str
    hypothesis: str
    reference: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The outcome of one pass over the validation set."""

    metric: str
    score: float
    signature: str  # how the score was counted
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """A validation and how it compares with those before."""

    validation: Validation
    epoch: int
    step: int
    best_score: float
    is_best: bool
    validations_since_best: int
    seconds: float  # that the validation took
    of_mean: bool = False  # of several checkpoints, after the last epoch


class Reporter(Protocol):
    """Receives the news of a training, in order."""

    def message(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def validated(self, report: ValidationReport) -> None: ...


class QuietReporter:
    """Keeps the news to itself."""

    def message(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def validated(self, report: ValidationReport) -> None: ...
