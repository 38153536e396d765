import errno
import os
import resource
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seqcli.errors import DataError, OutputError
from seqcli.text.lines import read_lines, require_writable, write_atomically


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of old text, alone in its folder."""
    path = tmp_path / "out"
    path.write_text("old")
    return path


def assert_untouched(path: Path) -> None:
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == [path.name]


def refusal(path: Path, text: str = "new") -> str:
    with pytest.raises(OutputError) as caught, write_atomically(path) as stream:
        stream.write(text)
    return caught.value.what


def test_the_text_appears_only_when_the_block_has_ended(path: Path) -> None:
    with write_atomically(path) as stream:
        stream.write("Käse\n")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_bytes() == "Käse\n".encode()
    assert os.listdir(path.parent) == ["out"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ValueError, DataError])
def test_an_interruption_leaves_the_old_file_and_nothing_else(
    path: Path, interruption: type[BaseException]
) -> None:
    def write() -> None:
        with write_atomically(path) as stream:
            stream.write("new" * 10_000)
            raise interruption("x")

    with pytest.raises(interruption):
        write()
    assert_untouched(path)


def test_a_full_disk_while_writing_is_named_and_leaves_the_old_file(path: Path) -> None:
    with largest_file(10_000):
        assert refusal(path, "new" * 1_000_000) == f"cannot write {path}: File too large"
    assert_untouched(path)


def test_what_a_limit_on_files_refuses_is_answered_with_the_limit(path: Path) -> None:
    with largest_file(100), pytest.raises(OutputError) as caught, write_atomically(path) as stream:
        stream.write("n" * 1000)
    assert "ulimit -f" in caught.value.fix
    assert "folder" not in caught.value.fix
    assert_untouched(path)


def test_a_disk_found_full_at_the_last_flush_leaves_the_old_file(path: Path) -> None:
    text = "n" * 1000  # less than the buffer: written as the block ends
    with largest_file(100):
        assert refusal(path, text) == f"cannot write {path}: File too large"
    assert_untouched(path)


def test_a_full_disk_at_sync_is_answered_with_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught, write_atomically(path) as stream:
        stream.write("new")
    assert caught.value.what == f"cannot write {path}: No space left on device"
    assert "Free some space" in caught.value.fix
    assert_untouched(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_device_that_is_full_is_named() -> None:
    assert refusal(Path("/dev/full")) == "cannot write /dev/full: No space left on device"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refusal(missing / "out") == (
        f"cannot write {missing / 'out'}: there is no folder {missing}"
    )
    assert os.listdir(tmp_path) == []


def test_a_folder_or_a_file_taken_for_a_folder_is_refused(path: Path) -> None:
    assert refusal(path.parent) == f"cannot write {path.parent}: Is a directory"
    assert refusal(path / "out") == f"cannot write {path / 'out'}: there is no folder {path}"
    assert_untouched(path)


def test_a_folder_without_permission_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert refusal(path) == f"cannot write {path}: Permission denied"
    assert_untouched(path)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("n" * 300))
    assert os.listdir(tmp_path) == []


def test_a_reader_that_has_gone_is_not_blamed_on_the_file(path: Path) -> None:
    with pytest.raises(BrokenPipeError), write_atomically(path):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert_untouched(path)


def test_permissions_are_those_of_the_old_file_or_of_any_new_one(path: Path) -> None:
    path.chmod(0o640)
    plain, atomic = path.with_name("plain"), path.with_name("atomic")
    plain.write_text("")
    for target in (path, atomic):
        with write_atomically(target) as stream:
            stream.write("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert atomic.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with write_atomically(link) as stream:
        stream.write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_a_link_to_itself_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "loop"
    path.symlink_to(path)
    with write_atomically(path) as stream:
        stream.write("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["loop"]


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.extend(read_lines(pipe)))
    reader.start()
    with write_atomically(pipe) as stream:
        stream.write("a\nb\n")
    reader.join()
    assert read == ["a", "b"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def early_refusal(path: Path) -> str:
    with pytest.raises(OutputError) as caught:
        require_writable(path)
    return caught.value.what


def test_a_place_that_cannot_be_written_is_refused_before_as_it_is_by_writing(path: Path) -> None:
    dangling = path.with_name("dangling")
    dangling.symlink_to(path.parent / "missing" / "out")
    places = [path.parent, path / "out", path.parent / "missing" / "out", dangling]
    for place in [*places, path.with_name("n" * 300)]:
        assert early_refusal(place) == refusal(place)
    dangling.unlink()
    assert_untouched(path)


def test_a_folder_without_permission_is_refused_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert early_refusal(path) == f"cannot write {path}: Permission denied"
    assert_untouched(path)


def test_a_look_at_a_good_place_changes_nothing(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))  # that nobody reads: to open it would wait
    path.with_name("link").symlink_to(path)
    before = sorted(os.listdir(path.parent)), path.stat(), path.parent.stat().st_mode
    for name in ("out", "link", "new", "pipe"):
        require_writable(path.with_name(name))
    assert (sorted(os.listdir(path.parent)), path.stat(), path.parent.stat().st_mode) == before
    assert path.read_text() == "old"
