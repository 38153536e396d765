"""The folder in which text is kept as a training reads it."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqcli.errors import OutputError, PeerGone, SeqcliError
from seqcli.text.lines import UNFINISHED

PREPARED = "prepared"  # its name, in the folder of the training's state


class PreparedFolder:
    """Parts by name, each made of what its key tells: another key has a part of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._used: set[Path] = set()

    def part(self, name: str, key: str) -> Path:
        """Where a part stands, or is to be made."""
        path = self.path / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self._used.add(path)
        return path

    def tidy(self) -> None:
        """Delete the parts that nobody has asked for, and what a killed process left unfinished."""
        for path in self.path.iterdir():
            if path not in self._used:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.path.glob(f"*/{UNFINISHED}"):
            path.unlink(missing_ok=True)


@contextmanager
def preparing(path: Path, *, is_first: bool = True) -> Iterator[PreparedFolder]:
    """Give a folder to fill in the block, after which it has only what was asked for in it.

    After a fault of the user's it is as it was before; what a killed process has made stays, to go
    on from, also where it was another process of this training. Of several processes the first
    alone deletes anything. OutputError for any OSError in the block.
    """
    if not is_first:
        with _faults_named(path):
            yield PreparedFolder(path)
        return
    missing = [each for each in (path, *path.parents) if not each.exists()]
    before = [] if missing else list(path.iterdir())
    folder = PreparedFolder(path)
    try:
        with _faults_named(path):
            path.mkdir(parents=True, exist_ok=True)
            yield folder
            folder.tidy()
    except PeerGone:
        raise
    except SeqcliError:
        for made in path.iterdir() if path.is_dir() else ():
            if made not in before:
                shutil.rmtree(made, ignore_errors=True)
        with suppress(OSError):  # up to the first that is not empty
            for each in missing:
                each.rmdir()
        raise


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot prepare the text in {path}: {error.strerror or error}",
            why="a training keeps its text there, as lines and as token ids",
            fix="Choose a folder that you may write to, on a disk with room for the text",
        ) from error
