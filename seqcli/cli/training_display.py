"""What a person sees of a training: a live display on a terminal, plain lines in a log."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.live import Live
from rich.table import Table
from rich.text import Text

from seqcli.cli.console import console, is_terminal, say
from seqcli.training.report import Progress, QuietReporter, Reporter, ValidationReport
from seqcli.training.tensorboard import TensorBoardReporter

SECONDS_BETWEEN_LINES = 30.0  # of a log


@contextmanager
def training_display(*, quiet: bool, tensorboard: Path | None = None) -> Iterator[Reporter]:
    """Give the reporter that suits standard error and the user's wish.

    With a folder for `tensorboard` it writes there too; UsageError where that is not installed.
    """
    with _display(quiet=quiet) as reporter:
        yield TensorBoardReporter(tensorboard, reporter) if tensorboard else reporter


@contextmanager
def _display(*, quiet: bool) -> Iterator[Reporter]:
    if quiet:
        yield QuietReporter()
    elif is_terminal():
        with Live(console=console(), refresh_per_second=4) as live:
            yield LiveReporter(live)
    else:
        yield LineReporter()


class LineReporter:
    """A line for each message and validation, and one now and then for the progress."""

    def __init__(self) -> None:
        self._last_line = -math.inf

    def message(self, text: str) -> None:
        say(text)

    def progress(self, progress: Progress) -> None:
        last_batch = progress.step == progress.total_steps
        if time.monotonic() - self._last_line < SECONDS_BETWEEN_LINES and not last_batch:
            return
        self._last_line = time.monotonic()
        say("  ".join(f"{name} {value}" for name, value in progress_values(progress)))

    def validated(self, report: ValidationReport) -> None:
        for line in validation_lines(report):
            say(line)


class LiveReporter:
    """A table that is drawn over; messages and validations scroll above it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._best = "none yet"

    def message(self, text: str) -> None:
        self._live.console.print(Text(text))  # as it is: without markup and emoji

    def progress(self, progress: Progress) -> None:
        table = Table.grid(padding=(0, 2))
        values = [*progress_values(progress), ("best so far", self._best)]
        table.add_row(*(name for name, _ in values), style="dim")
        table.add_row(*(value for _, value in values), style="bold")
        self._live.update(table)

    def validated(self, report: ValidationReport) -> None:
        self._best = f"{report.validation.metric} {report.best_score:.2f}"
        for line in validation_lines(report):
            self.message(line)


def progress_values(progress: Progress) -> list[tuple[str, str]]:
    """The progress as names and values, in the order in which they are shown."""
    return [
        ("epoch", f"{progress.epoch}/{progress.epochs}"),
        ("step", f"{progress.step}/{progress.total_steps}"),
        ("loss", f"{progress.nats_per_token:.3f} nats/token"),
        ("perplexity", f"{math.exp(min(progress.nats_per_token, 100)):.1f}"),
        ("tokens/s", f"{progress.tokens_per_second:,.0f}"),
        ("rate", f"{progress.learning_rate:.2e}"),
        ("left", str(timedelta(seconds=round(progress.seconds_left)))),
    ]


def validation_lines(report: ValidationReport) -> list[str]:
    """A validation in words: the score, how it compares, and a sample."""
    validation = report.validation
    outcome = "new best" if report.is_best else f"best {report.best_score:.2f}"
    if not report.is_best:
        outcome += f", {report.validations_since_best} without a new best"
    lines = [
        f"epoch {report.epoch}  step {report.step}  {validation.metric} {validation.score:.2f} "
        f"({outcome})  {report.seconds:.1f} s"
    ]
    if validation.sample is not None:
        lines += [
            f"  source      {validation.sample.source}",
            f"  hypothesis  {validation.sample.hypothesis}",
            f"  reference   {validation.sample.reference}",
        ]
    return lines
