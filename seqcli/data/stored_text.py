"""Training text in files of our own, so that any line can be read again at any time."""

import hashlib
import logging
import os
import secrets
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from seqcli.data.corpora import Corpus
from seqcli.data.dataset import Text
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.rows import Integers, Rows, RowsWriter, file_sizes, smallest_type
from seqcli.text.lines import write_atomically

FORMAT = 2  # of the files; those of another are not used
CHUNK = 20_000  # lines that are held at once
MOST_FOR_TOKENIZER = 1_000_000  # lines of each side
RECORD = "text.json"  # there once all is written
HASHES = "hashes"  # of each row
BYTE = np.dtype(np.uint8)
HASH = np.dtype(np.uint64)

log = logging.getLogger(__name__)


class StoredLines(Sequence[str]):
    """Lines that are read when they are asked for."""

    def __init__(self, rows: Rows, chosen: Integers) -> None:
        self._rows = rows
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "StoredLines": ...
    def __getitem__(self, place: int | slice) -> "str | StoredLines":
        if isinstance(place, slice):
            return StoredLines(self._rows, self._chosen[place])
        return self._rows.take(self._chosen[[place]], _decode)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), CHUNK):
            yield from self._rows.take(self._chosen[start : start + CHUNK], _decode)


def thinned(lines: Sequence[str]) -> Sequence[str]:
    """Lines at even distances, few enough to be held in memory while a tokenizer is learned."""
    return lines[:: -(-len(lines) // MOST_FOR_TOKENIZER) or 1]


def _decode(values: Integers) -> str:
    return str(values.data, "utf-8")


class _Record(msgspec.Struct, frozen=True):
    digest: str
    sizes: list[int]  # rows of each corpus
    values: list[int]  # bytes of each side


@dataclass(frozen=True, eq=False)
class StoredText:
    """The rows of some corpora, one after another, but for those that are held out."""

    prepared: PreparedFolder
    folder: Path  # the part of it with these files
    corpora: Sequence[Corpus]
    weights: Sequence[float]  # how often each corpus is seen in an epoch
    sizes: Sequence[int]  # rows of each corpus
    digest: str  # equal for equal text
    sides: tuple[Rows, ...]
    held_out: Integers  # rows

    def __len__(self) -> int:
        return len(self.sides[0])

    def lines(self, rows: Integers) -> Text:
        """The lines of each side in these rows."""
        return tuple(StoredLines(side, rows) for side in self.sides)

    @property
    def kept_lines(self) -> Text:
        """The lines that may be used, read when they are asked for."""
        return self.lines(self.kept_rows())

    @property
    def key(self) -> str:
        """Equal where the lines that may be used are equal."""
        return f"{self.digest} {hashlib.sha256(self.held_out.tobytes()).hexdigest()}"

    def kept_rows(self) -> Integers:
        is_kept = np.ones(len(self), bool)
        is_kept[self.held_out] = False
        return np.flatnonzero(is_kept).astype(smallest_type(len(self)))

    def without(self, rows: Integers) -> "StoredText":
        """The same, where these rows are held out."""
        return replace(self, held_out=rows)

    def parts(self) -> list[tuple[int, int, float]]:
        """The first row of each corpus, the one behind its last, and its weight."""
        ends = list(accumulate(self.sizes))
        return list(zip([0, *ends[:-1]], ends, self.weights, strict=True))

    def place(self, row: int) -> str:
        starts = [start for start, _, _ in self.parts()]
        number = bisect(starts, row) - 1
        return self.corpora[number].place(row - starts[number])

    def is_repeated(self) -> NDArray[np.bool_]:
        hashes = np.fromfile(self.folder / HASHES, HASH)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        repeated = np.zeros(len(self), bool)
        repeated[order[1:]] = ordered[1:] == ordered[:-1]
        return repeated


def store_text(
    corpora: Sequence[Corpus], prepared: PreparedFolder, *, weights: Sequence[float] = ()
) -> StoredText:
    """Copy the text of the corpora into files, or find it there from before.

    It is known again by what is in its files; what comes out of a pipe is copied each time.
    Raises DataError for text that cannot be read, and OSError where it cannot be written.
    """
    folder = prepared.part("text", _key(corpora))
    record = _read_record(folder)
    if record is None:
        folder.mkdir(parents=True, exist_ok=True)
        record = _copy(corpora, folder)
    return StoredText(
        prepared=prepared,
        folder=folder,
        corpora=corpora,
        weights=weights or [1.0] * len(corpora),
        sizes=record.sizes,
        digest=record.digest,
        sides=tuple(Rows.in_files(folder, str(side), BYTE) for side in range(corpora[0].num_sides)),
        held_out=np.empty(0, np.int64),
    )


def _key(corpora: Sequence[Corpus]) -> str:
    """A name for the contents of the files, from their bytes alone."""
    parts = [
        f"{corpus.num_sides} {' '.join(_file_digest(Path(file)) for file in corpus.files)}"
        for corpus in corpora
    ]
    return "\n".join([f"{FORMAT}", *parts])


def _file_digest(path: Path) -> str:
    """SHA-256 of a file; random for what can be read only once, or not at all."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        log.debug("%s has no digest: %s", path, error)  # told in words when its lines are read
    return secrets.token_hex()


def _read_record(folder: Path) -> _Record | None:
    """What is finished and still there; None if it is not whole."""
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=_Record)
        rows = sum(record.sizes)
        is_whole = (folder / HASHES).stat().st_size == rows * HASH.itemsize and all(
            file_sizes(folder, str(side), BYTE) == (rows, values)
            for side, values in enumerate(record.values)
        )
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return record if is_whole else None


def _copy(corpora: Sequence[Corpus], folder: Path) -> _Record:
    digest = hashlib.sha256()
    sizes = []
    with ExitStack() as stack:
        hashes = stack.enter_context((folder / HASHES).open("wb"))
        sides = [
            stack.enter_context(closing(RowsWriter(folder, str(side), BYTE)))
            for side in range(corpora[0].num_sides)
        ]
        for corpus in corpora:
            rows = corpus.rows()
            size = 0
            while chunk := list(islice(rows, CHUNK)):
                size += len(chunk)
                columns = [
                    [line.encode() for line in column] for column in zip(*chunk, strict=True)
                ]
                for side, column in zip(sides, columns, strict=True):
                    side.append_bytes(column)
                    digest.update(b"\n".join([*column, b""]))
                hashes.write(b"".join(map(_row_hash, zip(*columns, strict=True))))
            sizes.append(size)
            digest.update(f"{size}\n".encode())
        for side in sides:
            side.flush()
        hashes.flush()
        os.fsync(hashes.fileno())
    record = _Record(digest.hexdigest(), sizes, [side.num_values for side in sides])
    with write_atomically(folder / RECORD) as stream:
        stream.write(msgspec.json.encode(record).decode())
    return record


def _row_hash(lines: tuple[bytes, ...]) -> bytes:
    return hashlib.blake2b(b"\n".join(lines), digest_size=HASH.itemsize).digest()
