import errno
import os
from pathlib import Path

import pytest
import torch

from seqcli.errors import ModelError, OutputError
from seqcli.training.checkpoint import STATE_FILE, CheckpointFolder


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path)


def fail_as_a_full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_state_comes_back_as_it_was(checkpoints: CheckpointFolder) -> None:
    assert checkpoints.load_state() is None
    checkpoints.save_state({"weights": torch.arange(5), "epoch": 3})
    state = checkpoints.load_state()
    assert state is not None
    assert state["epoch"] == 3
    assert torch.equal(state["weights"], torch.arange(5))


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(
    checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    checkpoints.save_state({"epoch": 1})
    checkpoints.save_weights(5, {"a": torch.ones(2)})
    files = sorted(checkpoints.folder.iterdir())
    monkeypatch.setattr(os, function, fail_as_a_full_disk)
    with pytest.raises(OutputError, match=r"state\.pt.*No space left"):
        checkpoints.save_state({"epoch": 2})
    with pytest.raises(OutputError, match=r"weights-00000005.*No space left"):
        checkpoints.save_weights(5, {"a": torch.zeros(2)})
    monkeypatch.undo()
    assert sorted(checkpoints.folder.iterdir()) == files
    assert checkpoints.load_state() == {"epoch": 1}
    assert checkpoints.average_weights([5])["a"].tolist() == [1, 1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_fills_up_while_torch_writes_is_named(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        CheckpointFolder(tmp_path).save_state({"weights": torch.zeros(1_000_000)})


def test_a_truncated_or_foreign_state_is_named(checkpoints: CheckpointFolder) -> None:
    checkpoints.save_state({"weights": torch.arange(1000)})
    path = checkpoints.folder / STATE_FILE
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not a state at all"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"state\.pt is not a whole training state"):
            checkpoints.load_state()


def test_a_state_never_runs_code(checkpoints: CheckpointFolder) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(checkpoints.folder / "made"),)

    torch.save({"model": Malicious()}, checkpoints.folder / STATE_FILE)
    with pytest.raises(ModelError):
        checkpoints.load_state()
    assert not (checkpoints.folder / "made").exists()


def test_the_mean_is_that_of_the_kept_weights(checkpoints: CheckpointFolder) -> None:
    weights = {step: torch.randn(3, 2) for step in (10, 20, 30)}
    for step, tensor in weights.items():
        checkpoints.save_weights(step, {"a": tensor})
    mean = checkpoints.average_weights([10, 20, 30])
    torch.testing.assert_close(mean["a"], torch.stack(list(weights.values())).mean(0))


def test_only_the_wanted_weights_are_kept(checkpoints: CheckpointFolder) -> None:
    for step in (10, 20, 30):
        checkpoints.save_weights(step, {"a": torch.zeros(1)})
    checkpoints.save_state({})
    checkpoints.keep_weights([30, 10])
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == [STATE_FILE, "weights-00000010.safetensors", "weights-00000030.safetensors"]


def test_missing_or_broken_weights_are_named(checkpoints: CheckpointFolder) -> None:
    checkpoints.save_weights(1, {"a": torch.zeros(100)})
    with pytest.raises(ModelError, match="kept weights cannot be read"):
        checkpoints.average_weights([1, 2])
    path = checkpoints.folder / "weights-00000001.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ModelError, match="kept weights cannot be read"):
        checkpoints.average_weights([1])
