import errno
import os
import random
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from seqcli.errors import ModelError, OutputError
from seqcli.training.checkpoint import CheckpointFolder


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path)


def state_at(folder: Path, step: int) -> Path:
    return folder / f"state-{step:08d}.pt"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_as_a_full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to let a file grow beyond `size` bytes, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_state_comes_back_as_it_was(checkpoints: CheckpointFolder) -> None:
    assert checkpoints.load_state() is None
    assert not checkpoints.has_state
    checkpoints.save_state(7, {"weights": torch.arange(5), "epoch": 3})
    assert checkpoints.has_state
    state = CheckpointFolder(checkpoints.folder).load_state()
    assert state is not None
    assert state["epoch"] == 3
    assert torch.equal(state["weights"], torch.arange(5))


def test_the_newest_state_is_kept_and_the_one_before(checkpoints: CheckpointFolder) -> None:
    for step in (5, 9, 10, 10, 100_000_000):  # 10: in an epoch, and once it is validated
        checkpoints.save_state(step, {"step": step})
    assert names_in(checkpoints.folder) == ["state-00000010.pt", "state-100000000.pt"]
    checkpoints.save_state(100_000_000, {"step": "again"})
    assert names_in(checkpoints.folder) == ["state-00000010.pt", "state-100000000.pt"]
    assert checkpoints.load_state() == {"step": "again"}


def test_what_a_process_killed_after_writing_a_state_kept_too_long_goes_when_one_is_loaded(
    checkpoints: CheckpointFolder,
) -> None:
    checkpoints.save_state(30, {"step": 30})
    for step in (10, 20):
        shutil.copy(state_at(checkpoints.folder, 30), state_at(checkpoints.folder, step))
    assert checkpoints.load_state() == {"step": 30}
    assert names_in(checkpoints.folder) == ["state-00000020.pt", "state-00000030.pt"]


@pytest.mark.parametrize(
    "damage", ["half", "empty", "foreign", "zeros", "a flipped bit", "no such place", "gone"]
)
def test_instead_of_a_damaged_state_the_one_before_is_loaded_and_this_is_said(
    checkpoints: CheckpointFolder, damage: str
) -> None:
    for step in (10, 20):
        checkpoints.save_state(step, {"weights": torch.full((1000,), step)})
    newest = state_at(checkpoints.folder, 20)
    whole = newest.read_bytes()
    middle = whole.index(torch.full((1000,), 20).numpy().tobytes()) + 4000
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    end = whole.rindex(b"PK\6\6") + 48  # of the archive, where the place of its index stands
    contents = {
        "no such place": whole[:end] + b"\x7f" * 8 + whole[end + 8 :],
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "foreign": b"not a state at all",
        "zeros": bytes(len(whole)),
        "a flipped bit": flipped,
    }
    newest.write_bytes(contents[damage]) if damage in contents else newest.unlink()
    told: list[str] = []
    state = CheckpointFolder(checkpoints.folder).load_state(told.append)
    assert state is not None
    assert torch.equal(state["weights"], torch.full((1000,), 10))
    if damage in contents:
        (message,) = told
        assert "state-00000020.pt is damaged" in message
        assert "going on from the state before it, state-00000010.pt" in message
    else:
        assert not told


def test_no_flipped_bit_and_no_cut_changes_what_is_loaded(checkpoints: CheckpointFolder) -> None:
    state = {"weights": torch.randn(9), "best": [[1.5, 3]], "epoch": 3}
    checkpoints.save_state(1, state)
    path, generator = state_at(checkpoints.folder, 1), random.Random(1)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            loaded = checkpoints.load_state()
        except ModelError:
            continue
        assert loaded is not None  # the bit was one of the filling
        assert torch.equal(loaded.pop("weights"), state["weights"])
        assert loaded == {name: value for name, value in state.items() if name != "weights"}
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            checkpoints.load_state()


@pytest.mark.parametrize(
    "fault",
    [
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.EIO, "Input/output error"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_state_that_cannot_be_read_is_not_taken_for_a_damaged_one(
    checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """An older one must not take its place, nor may it be deleted: it may be whole."""
    for step in (10, 20):
        checkpoints.save_state(step, {"step": step})

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(ModelError, match=r"cannot read .*state-00000020\.pt: \w+") as raised:
        CheckpointFolder(checkpoints.folder).load_state(pytest.fail)
    assert "--overwrite" not in raised.value.fix
    monkeypatch.undo()
    assert names_in(checkpoints.folder) == ["state-00000010.pt", "state-00000020.pt"]
    assert CheckpointFolder(checkpoints.folder).load_state() == {"step": 20}


def test_where_no_state_is_whole_all_are_named(checkpoints: CheckpointFolder) -> None:
    for step in (10, 20):
        checkpoints.save_state(step, {"weights": torch.arange(1000)})
    state_at(checkpoints.folder, 10).write_bytes(b"")
    state_at(checkpoints.folder, 20).write_bytes(b"PK")
    with pytest.raises(ModelError, match="no whole training state is left") as raised:
        checkpoints.load_state()
    assert "state-00000020.pt is damaged (File is not a zip file); state-00" in raised.value.what
    assert "--overwrite" in raised.value.fix


def test_whoever_goes_on_from_a_state_keeps_the_one_before_it(tmp_path: Path) -> None:
    before = CheckpointFolder(tmp_path)
    for step in (10, 20):
        before.save_state(step, {"step": step})
    after = CheckpointFolder(tmp_path)
    after.load_state()
    after.save_state(20, {"step": "20, validated"})
    assert names_in(tmp_path) == ["state-00000010.pt", "state-00000020.pt"]


def test_after_a_damaged_state_two_whole_ones_are_kept_again(tmp_path: Path) -> None:
    before = CheckpointFolder(tmp_path)
    for step in (10, 20):
        before.save_state(step, {"step": step})
    state_at(tmp_path, 20).write_bytes(b"")
    after = CheckpointFolder(tmp_path)
    after.load_state(lambda message: None)
    after.save_state(15, {"step": 15})
    assert names_in(tmp_path) == ["state-00000010.pt", "state-00000015.pt"]


def test_the_state_of_an_earlier_version_is_read_and_then_replaced(
    checkpoints: CheckpointFolder,
) -> None:
    torch.save({"step": 0}, checkpoints.folder / "state.pt")
    assert checkpoints.has_state
    assert checkpoints.load_state() == {"step": 0}
    checkpoints.save_state(1, {"step": 1})
    assert checkpoints.load_state() == {"step": 1}
    checkpoints.save_state(2, {"step": 2})
    assert names_in(checkpoints.folder) == ["state-00000001.pt", "state-00000002.pt"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(
    checkpoints: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    checkpoints.save_state(1, {"epoch": 1})
    checkpoints.save_weights(5, {"a": torch.ones(2)})
    files = names_in(checkpoints.folder)
    monkeypatch.setattr(os, function, fail_as_a_full_disk)
    with pytest.raises(OutputError, match=r"state-00000002\.pt.*No space left"):
        checkpoints.save_state(2, {"epoch": 2})
    with pytest.raises(OutputError, match=r"weights-00000005.*No space left"):
        checkpoints.save_weights(5, {"a": torch.zeros(2)})
    monkeypatch.undo()
    assert names_in(checkpoints.folder) == files
    assert checkpoints.load_state() == {"epoch": 1}
    assert checkpoints.average_weights([5])["a"].tolist() == [1, 1]


@pytest.mark.parametrize("size", [0, 1_000, 100_000, 4_000_000])
def test_a_disk_that_fills_up_while_a_state_is_written_leaves_the_ones_before(
    checkpoints: CheckpointFolder, size: int
) -> None:
    for step in (1, 2):
        checkpoints.save_state(step, {"weights": torch.zeros(1_000_000), "step": step})
    files = names_in(checkpoints.folder)
    with files_of_at_most(size), pytest.raises(OutputError, match=r"state-00000003.*too large"):
        checkpoints.save_state(3, {"weights": torch.zeros(1_000_000)})
    assert names_in(checkpoints.folder) == files
    state = checkpoints.load_state(pytest.fail)
    assert state is not None
    assert state["step"] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_fills_up_while_torch_writes_is_named(tmp_path: Path) -> None:
    state_at(tmp_path, 1).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        CheckpointFolder(tmp_path).save_state(1, {"weights": torch.zeros(1_000_000)})


def test_a_state_never_runs_code(checkpoints: CheckpointFolder) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(checkpoints.folder / "made"),)

    torch.save({"model": Malicious()}, state_at(checkpoints.folder, 1))
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
    checkpoints.save_state(30, {})
    checkpoints.keep_weights([30, 10])
    assert names_in(checkpoints.folder) == [
        "state-00000030.pt",
        "weights-00000010.safetensors",
        "weights-00000030.safetensors",
    ]


def test_missing_or_broken_weights_are_named(checkpoints: CheckpointFolder) -> None:
    checkpoints.save_weights(1, {"a": torch.zeros(100)})
    with pytest.raises(ModelError, match="kept weights cannot be read"):
        checkpoints.average_weights([1, 2])
    path = checkpoints.folder / "weights-00000001.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ModelError, match="kept weights cannot be read"):
        checkpoints.average_weights([1])
