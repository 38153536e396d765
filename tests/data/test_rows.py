"""Rows of a flat array: what was put in comes out, from memory and from files alike."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.data.rows import Rows, RowsWriter, file_sizes, smallest_type

row_lists = st.lists(st.lists(st.integers(0, 70_000), max_size=9), max_size=20)
IDS = np.dtype(np.uint32)


def taken(rows: Rows) -> list[list[int]]:
    return rows.take(np.arange(len(rows)), np.ndarray.tolist)


def written(folder: Path, *chunks: list[list[int]]) -> Rows:
    writer = RowsWriter(folder, "ids", IDS)
    for chunk in chunks:
        writer.append(chunk)
    writer.flush()
    writer.close()
    return Rows.in_files(folder, "ids", IDS)


@given(row_lists)
def test_rows_in_memory_are_those_that_were_given(row_list: list[list[int]]) -> None:
    rows = Rows.of(row_list)
    assert taken(rows) == row_list
    assert rows.lengths.tolist() == [len(row) for row in row_list]


@pytest.mark.parametrize("chunks", [[], [[]], [[[]]], [[[1, 2], []], [[70_000]], [], [[3]]]])
def test_rows_in_files_are_those_of_all_chunks(
    tmp_path: Path, chunks: list[list[list[int]]]
) -> None:
    rows = written(tmp_path, *chunks)
    assert taken(rows) == [row for chunk in chunks for row in chunk]


def test_any_rows_can_be_taken_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    row_list = [[number] * (number % 5) for number in range(100)]
    chosen = np.array([7, 99, 0, 7, 50])
    for rows in (Rows.of(row_list), written(tmp_path, row_list)):
        for _ in range(2):  # also after the pages of the file were given back
            assert rows.take(chosen, np.ndarray.tolist) == [row_list[index] for index in chosen]


def test_bytes_are_rows_as_well(tmp_path: Path) -> None:
    lines = ["eins", "", "zwei drei", "Käse \u2028"]
    kind = np.dtype(np.uint8)
    writer = RowsWriter(tmp_path, "text", kind)
    writer.append_bytes([line.encode() for line in lines])
    writer.close()
    rows = Rows.in_files(tmp_path, "text", kind)
    assert rows.take(np.arange(4), lambda row: row.tobytes().decode()) == lines


def test_writing_goes_on_behind_what_was_finished(tmp_path: Path) -> None:
    written(tmp_path, [[1, 2], [3], [4, 5, 6]])  # of which the last row counts for nothing
    writer = RowsWriter(tmp_path, "ids", IDS, rows=2, values=3)
    writer.append([[7], [8, 9]])
    assert writer.num_values == 6
    writer.close()
    assert taken(Rows.in_files(tmp_path, "ids", IDS)) == [[1, 2], [3], [7], [8, 9]]
    assert file_sizes(tmp_path, "ids", IDS) == (4, 6)


@pytest.mark.parametrize(("largest", "size"), [(0, 1), (255, 1), (256, 2), (65_536, 4)])
def test_the_smallest_type_holds_its_largest_number(largest: int, size: int) -> None:
    kind = smallest_type(largest)
    assert kind.kind == "u"
    assert kind.itemsize == size
    assert np.array([largest]).astype(kind).tolist() == [largest]


def test_reading_a_large_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Rows all over a file of 64 MB are taken; without giving pages back all of it would stay."""
    kind = np.dtype(np.uint8)
    writer = RowsWriter(tmp_path, "text", kind)
    for _ in range(64):
        writer.append_bytes([bytes(1 << 10)] * (1 << 10))
    writer.close()
    rows = Rows.in_files(tmp_path, "text", kind)
    before = resident_bytes()
    for start in range(16):
        rows.take(np.arange(start, len(rows), 16), len)
    assert resident_bytes() - before < 16 << 20


def resident_bytes() -> int:
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("memory is told by Linux alone")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
