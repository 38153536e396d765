"""What TensorBoard shows of a training; the one place that needs it, and only when it is used."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from seqcli.errors import OutputError, UsageError
from seqcli.training.report import Progress, Reporter, ValidationReport

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardReporter:
    """A reporter that writes curves to a folder for TensorBoard, and passes all news on.

    Raises UsageError where TensorBoard is not installed, and OutputError where nothing can be
    written to the folder.
    """

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        if find_spec("tensorboard") is None:
            raise UsageError(
                "tensorboard is not installed",
                why="its files are written by its own package",
                fix="Install it with: pip install 'seqcli[tracking]'; or see `seqcli curves`, "
                "which needs nothing more",
            )
        _require_writable(folder)
        self._folder = folder
        self._reporter = reporter
        self._writer: SummaryWriter | None = None

    def message(self, text: str) -> None:
        self._reporter.message(text)

    def progress(self, progress: Progress) -> None:
        self._write(
            progress.step,
            {
                "training/loss": progress.nats_per_token,
                "training/tokens per second": progress.tokens_per_second,
                "training/learning rate": progress.learning_rate,
                "training/gradient norm": progress.gradient_norm,
            },
        )
        self._reporter.progress(progress)

    def validated(self, report: ValidationReport) -> None:
        self._write(
            report.step, {f"validation/{report.validation.metric}": report.validation.score}
        )
        self._reporter.validated(report)

    def _write(self, step: int, values: dict[str, float]) -> None:
        """Write values at a step; the first step hides what an earlier run wrote from there on."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to the folder {folder}: {error.strerror}",
            why="the curves for TensorBoard are written to it",
            fix="Choose a folder that you may write to",
        ) from error
