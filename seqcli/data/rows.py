"""Rows of different lengths one after another in a flat array, in memory or mapped from a file."""

import mmap
import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Integers = NDArray[np.integer[Any]]

LENGTH = np.dtype(np.uint32)  # as the lengths of rows stand in files


class Rows:
    """Row n is the part of `values` that comes after the rows before it; it has `lengths[n]`."""

    def __init__(
        self, values: Integers, lengths: Integers, *, mapped: mmap.mmap | None = None
    ) -> None:
        self.lengths = lengths.astype(smallest_type(lengths.max(initial=0)))
        self._values = values
        self._ends = np.cumsum(lengths, dtype=smallest_type(len(values)))
        self._mapped = mapped

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Rows":
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        return cls(values.astype(smallest_type(values.max(initial=0))), lengths)

    @classmethod
    def in_files(cls, folder: Path, name: str, kind: np.dtype[Any]) -> "Rows":
        """Map what a `RowsWriter` wrote. Raises OSError."""
        with _values_path(folder, name).open("rb") as file:
            lengths = np.fromfile(_lengths_path(folder, name), LENGTH)
            if not os.fstat(file.fileno()).st_size:  # nothing cannot be mapped
                return cls(np.empty(0, kind), lengths)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return cls(np.frombuffer(mapped, kind), lengths, mapped=mapped)

    def __len__(self) -> int:
        return len(self._ends)

    def take(self, rows: Integers, convert: Callable[[Integers], T]) -> list[T]:
        """Return what `convert` makes of each of the rows; it must not keep the array it gets.

        What was read of a file leaves the memory of the process again, so that it does not come to
        hold the whole file.
        """
        ends, lengths = self._ends[rows].tolist(), self.lengths[rows].tolist()
        taken = [
            convert(self._values[end - length : end])
            for end, length in zip(ends, lengths, strict=True)
        ]
        if self._mapped is not None:
            self._mapped.madvise(mmap.MADV_DONTNEED)
        return taken


class RowsWriter:
    """Writes rows into two files of a folder, behind those that were finished before."""

    def __init__(
        self, folder: Path, name: str, kind: np.dtype[Any], *, rows: int = 0, values: int = 0
    ) -> None:
        """Whatever is behind `rows` rows of `values` values is cut off. Raises OSError."""
        self.num_values = values
        self._kind = kind
        self._values = _open_behind(_values_path(folder, name), values * kind.itemsize)
        self._lengths = _open_behind(_lengths_path(folder, name), rows * LENGTH.itemsize)

    def append(self, rows: Sequence[Sequence[int]]) -> None:
        lengths = np.fromiter(map(len, rows), LENGTH, len(rows))
        total = int(lengths.sum(dtype=np.int64))
        self._write(np.fromiter(chain.from_iterable(rows), self._kind, total).tobytes(), lengths)

    def append_bytes(self, rows: Sequence[bytes]) -> None:
        self._write(b"".join(rows), np.fromiter(map(len, rows), LENGTH, len(rows)))

    def flush(self) -> None:
        """Wait until all is on the disk."""
        for file in (self._values, self._lengths):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        self._values.close()
        self._lengths.close()

    def _write(self, values: bytes, lengths: Integers) -> None:
        self._values.write(values)
        self._lengths.write(lengths.tobytes())
        self.num_values += len(values) // self._kind.itemsize


def smallest_type(largest: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds numbers up to `largest`."""
    return np.min_scalar_type(int(largest))


def file_sizes(folder: Path, name: str, kind: np.dtype[Any]) -> tuple[int, int]:
    """How many rows and values the files hold. Raises OSError."""
    return (
        _lengths_path(folder, name).stat().st_size // LENGTH.itemsize,
        _values_path(folder, name).stat().st_size // kind.itemsize,
    )


def _values_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.values"


def _lengths_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lengths"


def _open_behind(path: Path, size: int) -> BinaryIO:
    file = path.open("r+b" if size else "wb")
    file.truncate(size)
    file.seek(size)
    return file
