"""The log of a training, a JSON object on each line: written as it goes on, and read again."""

import logging
import time
from pathlib import Path

import msgspec

from seqcli.errors import ModelError, OutputError
from seqcli.text.lines import write_atomically
from seqcli.training.report import Progress, Reporter, ValidationReport

LOG = "metrics.jsonl"  # in the folder of the training's state

log = logging.getLogger(__name__)


class Update(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="update"):
    """Means over the updates since the one before."""

    step: int
    epoch: int  # counted from 1
    seconds: float  # of training so far, without the time in which it was stopped
    loss: float  # nats a target token, dropout included
    tokens_per_second: float
    learning_rate: float
    gradient_norm: float


class Score(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="event",
    tag="validation",
):
    """The outcome of a validation."""

    step: int
    epoch: int
    seconds: float
    metric: str
    score: float
    is_best: bool
    of_mean: bool = False  # of several checkpoints, after the last epoch


Record = Update | Score


class TrainingLog:
    """A reporter that writes down what can be drawn as a curve, and passes all news on."""

    def __init__(self, path: Path, reporter: Reporter) -> None:
        self._path = path
        self._reporter = reporter
        self._start = time.monotonic()

    def go_on(self, *, step: int, epochs: int) -> None:
        """Forget what came after `step` and after so many finished `epochs`, as it comes again.

        So does the mean of the checkpoints, whenever the training ends. To be called before the
        first news, with two zeros for a new training.
        """
        kept = [
            record
            for record in (read_log(self._path) if self._path.exists() else [])
            if (
                record.step <= step
                if isinstance(record, Update)
                else record.epoch <= epochs and not record.of_mean
            )
        ]
        with write_atomically(self._path) as file:
            file.write("".join(map(_line, kept)))
        self._start = time.monotonic() - max((record.seconds for record in kept), default=0.0)

    def message(self, text: str) -> None:
        self._reporter.message(text)

    def progress(self, progress: Progress) -> None:
        self._write(
            Update(
                step=progress.step,
                epoch=progress.epoch,
                seconds=time.monotonic() - self._start,
                loss=progress.nats_per_token,
                tokens_per_second=progress.tokens_per_second,
                learning_rate=progress.learning_rate,
                gradient_norm=progress.gradient_norm,
            )
        )
        self._reporter.progress(progress)

    def validated(self, report: ValidationReport) -> None:
        self._write(
            Score(
                step=report.step,
                epoch=report.epoch,
                seconds=time.monotonic() - self._start,
                metric=report.validation.metric,
                score=report.validation.score,
                is_best=report.is_best,
                of_mean=report.of_mean,
            )
        )
        self._reporter.validated(report)

    def _write(self, record: Record) -> None:
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(_line(record))
        except OSError as error:
            raise OutputError(
                f"cannot write {self._path}: {error.strerror}",
                why="the curves of the training are kept there",
                fix="Free some space or mend the permissions, and go on with --resume",
            ) from error


def read_log(path: Path) -> list[Record]:
    """Read the log of a training; lines that are damaged, as by a power cut, are left out.

    Raises ModelError if it cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    records: list[Record] = []
    damaged = []
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                records.append(msgspec.json.decode(line, type=Record))
        except (ValueError, msgspec.MsgspecError):
            damaged.append(number)
    if damaged:
        log.warning("%s: line %s is damaged and left out", path, ", ".join(map(str, damaged)))
    return records


def _line(record: Record) -> str:
    return msgspec.json.encode(record).decode() + "\n"
