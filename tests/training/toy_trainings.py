"""Trainings of a model of a few numbers."""

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from seqcli.data.batch import PairBatch
from seqcli.data.batching import PendingBatch
from seqcli.data.dataset import Example
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.report import Progress, Validation, ValidationReport
from seqcli.training.trainer import Trainer
from tests.training.bigrams import PendingList

EXAMPLES = [Example([4 + index, 5], [6, 7, 8]) for index in range(4)]
BATCHES = [PendingList(EXAMPLES, [index]) for index in range(4)]
CONFIG = TrainingConfig(
    epochs=3, learning_rate=0.1, warmup_steps=0, patience=0, precision="float32", average_best=2
)
Loss = Callable[[PairBatch], tuple[Tensor, Tensor]]


class Toy(nn.Module):
    """Weights that are pulled to the first source token, by a noisy gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6))

    def loss(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        noisy = nn.functional.dropout(self.weight, 0.5)
        loss = (noisy - batch.source_BS[0, 0]).square().mean()
        return loss, loss.detach()


class Recorder:
    """Keeps all news, and calls `at_step` with the step of each progress."""

    def __init__(self, at_step: Callable[[int], None] = lambda step: None) -> None:
        self.messages: list[str] = []
        self.steps: list[Progress] = []
        self.validations: list[ValidationReport] = []
        self._at_step = at_step

    def message(self, text: str) -> None:
        self.messages.append(text)

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)
        self._at_step(progress.step)

    def validated(self, report: ValidationReport) -> None:
        self.validations.append(report)


def make_trainer(
    folder: Path,
    *,
    model: Toy | None = None,
    config: TrainingConfig = CONFIG,
    recorder: Recorder | None = None,
    loss: Loss | None = None,
    score: Callable[[], float] | None = None,
    publish: Callable[[ValidationReport], None] = lambda report: None,
    batches: Sequence[PendingBatch] = BATCHES,
    start: float | None = None,
) -> Trainer:
    folder.mkdir(exist_ok=True)
    model = model or Toy()
    score = score or (lambda: -float((model.weight - 5.5).square().mean()))
    return Trainer(
        model,
        config,
        batches=lambda epoch, *, shares, divide: batches,
        loss=loss or model.loss,
        validate=lambda: Validation("score", score(), "test"),
        publish=publish,
        higher_is_better=True,
        checkpoints=CheckpointFolder(folder),
        reporter=recorder or Recorder(),
        seed=7,
        start=start,
    )


def send_at(step: int, *signals: signal.Signals) -> Callable[[int], None]:
    def at_step(reached: int) -> None:
        if reached == step:
            for number in signals:
                os.kill(os.getpid(), number)

    return at_step
