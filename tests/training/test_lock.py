import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest

from seqcli.errors import OutputError
from seqcli.training import lock as lock_module
from seqcli.training.lock import LOCK, locked

ROOT = Path(__file__).parent.parent.parent
HOLD = """
import sys, time
from pathlib import Path
from seqcli.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_folder_is_held_once_and_again_when_it_is_let_go(tmp_path: Path) -> None:
    with locked(tmp_path):
        holder = f"is being trained by process {os.getpid()} on "
        with pytest.raises(OutputError, match=holder), locked(tmp_path):
            pass
        with pytest.raises(OutputError), locked(tmp_path):  # it is still held
            pass
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass
    assert (tmp_path / LOCK).read_bytes() == b""


def test_the_process_that_holds_a_folder_is_named_and_its_death_frees_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"held\n"
        holder = f"is being trained by process {process.pid} on "
        with pytest.raises(OutputError, match=holder) as raised, locked(tmp_path):
            pass
        assert "--resume" in raised.value.fix
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with locked(tmp_path):
        pass


def test_a_lock_that_its_holder_removes_meanwhile_is_not_held_beside_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and taking, the last holder removes the file: what is taken has no name."""
    path, taken = tmp_path / LOCK, lock_module._take

    def remove_then_take(file: FileIO, folder: Path) -> None:
        monkeypatch.undo()
        path.unlink()
        taken(file, folder)

    monkeypatch.setattr(lock_module, "_take", remove_then_take)
    with locked(tmp_path):
        assert path.exists()
        with pytest.raises(OutputError), locked(tmp_path):
            pass

    def replace_then_take(file: FileIO, folder: Path) -> None:
        monkeypatch.undo()
        path.rename(tmp_path / "old")
        path.touch()
        taken(file, folder)

    monkeypatch.setattr(lock_module, "_take", replace_then_take)
    with locked(tmp_path), pytest.raises(OutputError), locked(tmp_path):
        pass


def test_where_there_are_no_locks_one_is_warned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with caplog.at_level(logging.WARNING), locked(tmp_path):
        pass
    assert "cannot be locked ([Errno 37] No locks available)" in caplog.text


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", fail)
    message = r"cannot write .*lock: Read-only file system"
    with pytest.raises(OutputError, match=message), locked(tmp_path):
        pass
