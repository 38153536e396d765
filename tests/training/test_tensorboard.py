import errno
from pathlib import Path

import pytest

from seqcli.cli.main import main
from seqcli.errors import OutputError, UsageError
from seqcli.training import tensorboard as tensorboard_module
from seqcli.training.report import QuietReporter
from seqcli.training.tensorboard import TensorBoardReporter
from tests.training.test_log import progress, two_epochs, validation


def test_without_tensorboard_the_way_to_install_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard_module, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="tensorboard is not installed") as raised:
        TensorBoardReporter(tmp_path, QuietReporter())
    assert "seqcli[tracking]" in raised.value.fix
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard_module, "find_spec", lambda name: True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to the folder .*file/curves: Not a dir"):
        TensorBoardReporter(tmp_path / "file" / "curves", QuietReporter())

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensorboard_module, "TemporaryFile", full)
    with pytest.raises(OutputError, match="No space left"):
        TensorBoardReporter(tmp_path / "curves", QuietReporter())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboard and protobuf
def test_tensorboard_reads_what_was_told_and_not_what_came_before_twice(tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is an optional extra",
    )
    two_epochs(TensorBoardReporter(tmp_path, QuietReporter()))
    resumed = TensorBoardReporter(tmp_path, QuietReporter())
    resumed.progress(progress(6, epoch=2))
    resumed.validated(validation(6, epoch=2, score=22.5))
    seen = accumulator.EventAccumulator(str(tmp_path))
    seen.Reload()
    assert [(event.step, event.value) for event in seen.Scalars("training/loss")] == [
        (2, 4.0),
        (4, 6.0),
        (6, 8.0),
    ]
    assert [(event.step, event.value) for event in seen.Scalars("validation/BLEU")] == [
        (4, 21.5),
        (6, 22.5),
    ]
    assert {"training/gradient norm", "training/learning rate"} <= set(seen.Tags()["scalars"])


def test_the_command_finds_it_missing_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard_module, "find_spec", lambda name: None)
    files = [str(tmp_path / name) for name in ("a.de", "a.en")]
    for file in files:
        Path(file).write_text("abc\n" * 8)
    model, curves = tmp_path / "model", tmp_path / "curves"
    arguments = ["train", "--train", *files, "-o", str(model), "--tensorboard", str(curves)]
    assert main(arguments) == 2
    assert "seqcli[tracking]" in capsys.readouterr().err
    assert not model.exists()
    assert not curves.exists()
