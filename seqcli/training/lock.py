"""A folder is trained by one process at a time."""

import fcntl
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from seqcli.errors import OutputError

LOCK = "lock"  # in the folder of the training's state

log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is there, inside the block.

    The system lets go of it however the process ends, so what a killed one left never bars the
    way. Raises OutputError if another training holds it, in this process or in another.
    """
    with _taken(folder) as file:
        with suppress(OSError):  # on a full disk the lock holds without a name
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
        try:
            yield
        finally:
            with suppress(OSError):
                file.truncate(0)


def _taken(folder: Path) -> FileIO:
    """Open the lock and take it; another one where its last holder has just removed it."""
    path = folder / LOCK
    while True:
        try:
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror}",
                fix="Choose a folder that you may write to",
            ) from error
        try:
            _take(file, folder)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _take(file: FileIO, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise OutputError(
            f"{folder.parent} is being trained by {file.read().decode() or 'another process'}",
            why="two trainings in one folder would overwrite each other's states",
            fix="Let it end, or stop it (Ctrl-C, or kill with that number) and go on with "
            "--resume; or choose another folder",
        ) from error
    except OSError as error:  # such as a network's file system without locks
        log.warning("%s cannot be locked (%s): start no second training on it", folder, error)
