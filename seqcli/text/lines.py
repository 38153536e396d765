"""Lines from a file, a gzip file, a pipe or standard input, and files written whole or not at all.

A line ends at a line feed alone, as for `wc -l`, and not at U+2028 or whatever else ends one for
`str.splitlines`: otherwise line N of one file would stop being line N of its partner.
"""

import contextlib
import errno
import gzip
import io
import os
import queue
import secrets
import shutil
import sys
import tempfile
import threading
import zlib
from codecs import BOM_UTF8
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from seqcli.errors import DataError, OutputError

STDIN = "-"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_FAULTS = (EOFError, zlib.error, gzip.BadGzipFile)  # what a broken file raises
UNFINISHED = ".*.partial"  # the names of files that are being written
FIX_OF_TOO_LARGE = "Raise the limit (`ulimit -f`), or write to a disk that takes such large files"


def name_of(path: str | Path) -> str:
    """What to call a file in a message: its path, but "standard input" for "-"."""
    return "standard input" if str(path) == STDIN else str(path)


def is_read_once(path: str | Path) -> bool:
    """Whether what is read is gone then: from a pipe, a device or standard input."""
    file = Path(path)
    return str(path) == STDIN or (file.exists() and not file.is_file() and not file.is_dir())


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield each line without its end (LF or CR LF), as soon as it arrives; "-" is stdin.

    Nothing is opened before the first line is asked for. A byte order mark at the start is dropped.
    DataError if the file is missing, unreadable or broken, or a line holds a NUL byte or is not
    UTF-8: the line is named.
    """
    name = name_of(path)
    for number, raw in enumerate(read_raw_lines(path), start=1):
        yield decode_line(raw.removesuffix(b"\n").removesuffix(b"\r"), name, number)


def read_raw_lines(path: str | Path) -> Iterator[bytes]:
    """Yield each line with its end as `read_lines` does, whatever bytes are in it."""
    number = 0
    with open_unpacked(path) as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                if number == 1 and raw.startswith(BOM_UTF8):
                    raw = raw.removeprefix(BOM_UTF8)
                    if not raw:
                        return  # a mark and nothing more: a file without a line
                yield raw
        except GZIP_FAULTS as error:
            where = f": it cannot be unpacked after line {number}"
            raise _broken_gzip(name_of(path), error, where) from error


@contextlib.contextmanager
def open_unpacked(path: str | Path) -> Iterator[io.BufferedIOBase]:
    """Yield the bytes of a file, unpacked if the first two say gzip; "-" is stdin.

    DataError, also for any OSError in the block, if it is missing, unreadable or broken.
    """
    name = name_of(path)
    try:
        with _open_stdin() if str(path) == STDIN else open(path, "rb") as stream:
            if stream.peek(2)[:2] == GZIP_MAGIC:  # peeked at, as a pipe cannot seek
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    yield unpacked
            else:
                yield stream
    except GZIP_FAULTS as error:
        raise _broken_gzip(name, error) from error
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror or error}") from error


def decode_line(raw: bytes, name: str, number: int) -> str:
    """Turn bytes into text. DataError names the line of what is not UTF-8 or holds a NUL byte."""
    if b"\0" in raw:
        raise DataError(
            f"{name}, line {number}: there is a NUL byte",
            why="text has none; this may be a binary file or UTF-16",
            fix="Save it as UTF-8: iconv -f UTF-16 -t UTF-8",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, line {number}: not UTF-8",
            why=f"byte {error.start + 1} of the line is 0x{raw[error.start]:02x}: {error.reason}",
            fix="Convert it, such as: iconv -f ISO-8859-1 -t UTF-8",
        ) from error


def require_writable(path: Path) -> None:
    """Raise at once the OutputError that `write_atomically` would: before the work, not after it.

    Nothing changes. A pipe or a device is not looked at: to open one may already say something.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.is_file() or not path.exists():
            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass  # where that could be made, so can the replacement
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[TextIO]:
    """Yield a UTF-8 stream; its text is at `path` once the block ends well, else nothing changes.

    An existing file keeps its permissions, a link its target. A pipe or a device cannot be replaced
    and is written directly. OutputError for any OSError in the block, but that a reader has gone.
    """
    with write_together([path]) as (stream,):
        yield stream


@contextlib.contextmanager
def write_together(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Yield a stream for each path, as `write_atomically` does: all change, or none.

    None takes its place before all are on the disk.
    """
    path = paths[0]
    try:
        with contextlib.ExitStack() as opened:
            streams: list[TextIO] = []
            drafts: dict[Path, TextIO] = {}
            stream: TextIO
            for path in paths:
                if path.exists() and not path.is_file():
                    stream = opened.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                else:
                    stream = drafts[path] = opened.enter_context(_draft_of(path))
                streams.append(stream)
            yield streams
            for path, stream in zip(paths, streams, strict=True):
                stream.flush()
                if path in drafts:
                    os.fsync(stream.fileno())
                    if path.exists():
                        shutil.copymode(path, stream.name)
            for path, draft in drafts.items():
                os.replace(draft.name, os.path.realpath(path))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error


def arriving(lines: Iterator[str], most: int) -> Generator[list[str], None, None]:
    """Group lines as they arrive: wait for one, then take with it what is there, up to `most`.

    A thread reads ahead by at most `most` lines. What it raises is raised here, after the lines
    that came before. A consumer that stops early stops it at the next line.
    """
    arrived: queue.Queue[str | _End] = queue.Queue(maxsize=most)
    stopped = threading.Event()

    def read() -> None:
        error = None
        try:
            for line in lines:
                arrived.put(line)
                if stopped.is_set():
                    return
        except BaseException as raised:  # whatever it is, it belongs to the consumer
            error = raised
        arrived.put(_End(error))

    threading.Thread(target=read, name="line reader", daemon=True).start()
    end = None
    try:
        while end is None:
            group, end = _take(arrived, most)
            if group:
                yield group
        if end.error is not None:
            raise end.error
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):  # room for the one line the thread may still put
            while True:
                arrived.get_nowait()


@dataclass(frozen=True, slots=True)
class _End:
    """What the reading thread puts last."""

    error: BaseException | None


def _take(arrived: queue.Queue[str | _End], most: int) -> tuple[list[str], _End | None]:
    group: list[str] = []
    item = arrived.get()
    while not isinstance(item, _End):
        group.append(item)
        if len(group) == most:
            return group, None
        try:
            item = arrived.get_nowait()
        except queue.Empty:
            return group, None
    return group, item


def _broken_gzip(name: str, error: Exception, where: str = "") -> DataError:
    return DataError(
        f"{name} is a broken gzip file{where}", why=str(error), fix="Copy or compress it again"
    )


def _open_stdin() -> io.BufferedReader:
    """Standard input with a buffer of its own.

    A daemon thread that waits in `sys.stdin.buffer` holds its lock, and Python aborts at exit when
    it cannot take that lock to close the stream.
    """
    if sys.stdin is None:
        raise DataError("standard input is closed", fix="Give a file, or pipe text in")
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:  # a stand-in without a descriptor, such as a test's
        # BinaryIO, the declared type of a buffer, lacks the readinto() that each buffer has.
        return io.BufferedReader(sys.stdin.buffer)  # type: ignore[arg-type]


@contextlib.contextmanager
def _draft_of(path: Path) -> Iterator[TextIO]:
    """A stream to a temporary file beside the one at `path`, removed unless it has replaced it."""
    place = Path(os.path.realpath(path))
    temporary = place.with_name(UNFINISHED.replace("*", secrets.token_hex(8)))
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as stream:
            yield stream
    finally:
        with contextlib.suppress(OSError):  # gone when all went well
            temporary.unlink()


def _cannot_write(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    if not os.path.isdir(path.parent):
        reason = f"there is no folder {path.parent}"
        fix = f"Create it: mkdir -p {path.parent}"
    elif os.path.isdir(path):
        fix = "Name a file in that folder"
    elif error.errno == errno.EFBIG:
        fix = f"{FIX_OF_TOO_LARGE}; nothing was left half-written"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "Free some space or write to another disk; nothing was left half-written"
    else:
        fix = "Name a file in a folder that you may write to"
    return OutputError(f"cannot write {path}: {reason}", fix=fix)
