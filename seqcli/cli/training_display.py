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
from seqcli.training.report import (
    Progress,
    QuietReporter,
    Reporter,
    ValidationReport,
    score_text,
)
from seqcli.training.tensorboard import TensorBoardReporter

SECONDS_BETWEEN_LINES = 10.0  # of a log


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
    """A line for each message and validation, and one now and then for the progress.

    The progress at the end of an epoch has a line whatever the time.
    """

    def __init__(self) -> None:
        self._last_line = -math.inf
        self._unshown: Progress | None = None

    def message(self, text: str) -> None:
        say(text)

    def progress(self, progress: Progress) -> None:
        self._unshown = progress
        if time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._show_progress()

    def validated(self, report: ValidationReport) -> None:
        self._show_progress()
        for line in validation_lines(report):
            say(line)

    def _show_progress(self) -> None:
        if self._unshown is not None:
            self._last_line = time.monotonic()
            values = progress_values(self._unshown)
            say("  ".join(f"{name} {value}" for name, value in values))
            self._unshown = None


class LiveReporter:
    """A table that is drawn over; messages and validations scroll above it."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def message(self, text: str) -> None:
        self._live.console.print(Text(text))  # as it is: without markup and emoji

    def progress(self, progress: Progress) -> None:
        table = Table.grid(padding=(0, 2))
        best = "none yet"
        if progress.best_score is not None:
            best = f"{progress.metric} {score_text(progress.metric, progress.best_score)}"
        values = [*progress_values(progress), ("best so far", best)]
        table.add_row(*(name for name, _ in values), style="dim")
        table.add_row(*(value for _, value in values), style="bold")
        self._live.update(table)

    def validated(self, report: ValidationReport) -> None:
        for line in validation_lines(report):
            self.message(line)


def progress_values(progress: Progress) -> list[tuple[str, str]]:
    """The progress as names and values, in the order in which they are shown."""
    unit = progress.unit.split()[-1]
    return [
        ("epoch", f"{progress.epoch}/{progress.epochs}"),
        ("step", f"{progress.step}/{progress.total_steps}"),
        ("loss", f"{progress.nats_per_token:.3f} nats/{unit}"),
        ("perplexity", f"{math.exp(min(progress.nats_per_token, 100)):.1f}"),
        (f"{unit}s/s", f"{progress.tokens_per_second:,.0f}"),
        ("rate", f"{progress.learning_rate:.2e}"),
        ("left", str(timedelta(seconds=round(progress.seconds_left)))),
    ]


def validation_lines(report: ValidationReport) -> list[str]:
    """A validation in words: the score, how it compares, and a sample.

    Nothing of that of a mean, which a message tells of.
    """
    if report.of_mean:
        return []
    validation, name = report.validation, report.validation.metric
    outcome = "new best"
    if not report.is_best:
        best = score_text(name, report.best_score)
        outcome = f"best {best}, {report.validations_since_best} without a new best"
    lines = [
        f"epoch {report.epoch}  step {report.step}  {name} {score_text(name, validation.score)} "
        f"({outcome})  {report.seconds:.1f} s"
    ]
    if validation.sample is not None:
        lines += [
            f"  source      {validation.sample.source}",
            f"  hypothesis  {validation.sample.hypothesis}",
            f"  reference   {validation.sample.reference}",
        ]
    return lines
