"""What arrays hold, and structures of them in files: a .npy file each, read by memory map.

Beside them is a file with the CRC-32 of each, by which damage is found.
"""

from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from seqcli.errors import ModelError
from seqcli.text.lines import write_atomically

Ids = NDArray[np.int32]  # of words, of phrases, of positions in a sentence
Places = NDArray[np.int64]  # in an array
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]  # as files hold them
Arrays = TypeVar("Arrays", bound=NamedTuple)

CHECKSUMS = "checksums.json"


def save_arrays(arrays: NamedTuple, folder: Path) -> None:
    """Write each array to a file of its own in `folder`, which is there. Raises OutputError."""
    checksums = {}
    for name, array in arrays._asdict().items():
        with write_atomically(folder / f"{name}.npy") as stream:
            writer = _Writer(stream.buffer)
            np.save(writer, array, allow_pickle=False)
        checksums[name] = writer.checksum
    with write_atomically(folder / CHECKSUMS) as stream:
        stream.buffer.write(msgspec.json.encode(checksums))


def load_arrays(kind: type[Arrays], folder: Path) -> Arrays:
    """Open what `save_arrays` wrote. ModelError if a file is missing or damaged."""
    try:
        checksums = msgspec.json.decode((folder / CHECKSUMS).read_bytes(), type=dict[str, int])
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise broken(folder, f"{CHECKSUMS} cannot be read: {error}") from error
    return kind._make(_load(folder / f"{name}.npy", checksums.get(name)) for name in kind._fields)


def broken(folder: Path, fault: str) -> ModelError:
    """The error for a model, or a part of one, that cannot be used."""
    return ModelError(
        f"the model in {folder} is broken: {fault}",
        why="files are missing, damaged, or mixed from different models",
        fix="Copy the whole folder again, or train the model again",
    )


class _Writer:
    """Passes bytes on to a stream and keeps their CRC-32.

    Into a file itself numpy writes in a way that does not tell why it failed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.checksum = 0
        self._stream = stream

    def write(self, content: bytes) -> int:
        self.checksum = crc32(content, self.checksum)
        return self._stream.write(content)


def _load(path: Path, checksum: int | None) -> NDArray[Any]:
    try:  # copied when written to: kernels see the same type as for an array that was just made
        array = np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
        found = crc32(np.memmap(path, np.uint8, mode="r").data)
    except (OSError, ValueError, EOFError) as error:
        raise broken(path.parent, f"{path.name} cannot be read: {error}") from error
    if found != checksum:
        raise broken(path.parent, f"{path.name} is damaged or of another model")
    return array
