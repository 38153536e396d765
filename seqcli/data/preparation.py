"""Text turned into token ids chunk by chunk, kept in files, so that it is done only once."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from seqcli.data.dataset import Encode, Examples, Text
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.rows import Rows, RowsWriter, file_sizes, smallest_type
from seqcli.text.lines import write_atomically

CHUNK = 20_000  # lines that are turned into ids at once
RECORD = "progress.json"
SIDES = ("source", "target")
SECONDS_BETWEEN_MESSAGES = 10.0


class _Record(msgspec.Struct, frozen=True):
    rows: int  # that are finished
    values: list[int]  # token ids that they have on each side


def prepare_examples(
    text: Text,
    encode: Encode,
    *,
    prepared: PreparedFolder,
    key: str,
    num_ids: int,
    tell: Callable[[str], None],
) -> Examples:
    """Encode all lines of a text into files, and map these.

    `key` names all that the ids depend on; what is there by the same key from before, be it whole
    or a part, is not done again. `num_ids` is the size of the larger vocabulary. Raises OSError
    where nothing can be written, and DataError for unusable lines.
    """
    folder = prepared.part("ids", key)
    kind = smallest_type(num_ids - 1)
    done = _read_record(folder, kind)
    if done.rows < len(text[0]):
        folder.mkdir(parents=True, exist_ok=True)
        _go_on(done, text, encode, folder=folder, kind=kind, tell=tell)
    return Examples(*(Rows.in_files(folder, side, kind) for side in SIDES))


def _go_on(
    done: _Record,
    text: Text,
    encode: Encode,
    *,
    folder: Path,
    kind: np.dtype[Any],
    tell: Callable[[str], None],
) -> None:
    last_message = time.monotonic()
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                closing(RowsWriter(folder, side, kind, rows=done.rows, values=values))
            )
            for side, values in zip(SIDES, done.values, strict=True)
        ]
        for start in range(done.rows, len(text[0]), CHUNK):
            chunk = tuple(list(lines[start : start + CHUNK]) for lines in text)
            examples = encode(chunk, alpha=0.0, seed=0)
            for side, writer in enumerate(writers):
                writer.append([example[side] for example in examples])
                writer.flush()
            _write_record(folder, _Record(start + len(examples), [w.num_values for w in writers]))
            if time.monotonic() - last_message >= SECONDS_BETWEEN_MESSAGES:
                tell(f"prepared {start + len(examples):,} of {len(text[0]):,} lines")
                last_message = time.monotonic()


def _read_record(folder: Path, kind: np.dtype[Any]) -> _Record:
    """What is finished and still there."""
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=_Record)
        for side, values in zip(SIDES, record.values, strict=True):
            rows_there, values_there = file_sizes(folder, side, kind)
            if rows_there < record.rows or values_there < values:
                return _Record(0, [0, 0])
    except (OSError, ValueError, msgspec.MsgspecError):
        return _Record(0, [0, 0])
    return record


def _write_record(folder: Path, record: _Record) -> None:
    with write_atomically(folder / RECORD) as stream:
        stream.write(msgspec.json.encode(record).decode())
