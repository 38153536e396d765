"""What a training tells those who watch it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, with means since the last report."""

    epoch: int  # counted from 1
    epochs: int
    step: int
    total_steps: int  # an estimate: sampled subwords change the number of batches
    nats_per_token: float  # negative log-likelihood of the training text, dropout included
    tokens_per_second: float  # real target tokens
    learning_rate: float
    gradient_norm: float  # before it was cut
    seconds_left: float  # until the last epoch ends; early stopping may come first


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
