"""Text that is kept in files of our own: the same lines, known again, in little memory."""

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from seqcli.data import stored_text
from seqcli.data.corpora import Corpus
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.stored_text import StoredText, store_text, thinned
from seqcli.errors import DataError

SOURCES = ["eins", "", "drei\u2028und mehr", "vier", "Käse", "vier"]
TARGETS = ["one", "two", "", "four\tand more", "cheese", "four\tand more"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_text, "CHUNK", 2)


def pair_of(folder: Path, name: str, sources: list[str], targets: list[str]) -> Corpus:
    paths = folder / f"{name}.de", folder / f"{name}.en"
    for path, lines in zip(paths, (sources, targets), strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return Corpus(tuple(map(str, paths)), 2)


def stored(tmp_path: Path, *corpora: Corpus) -> StoredText:
    return store_text(corpora, PreparedFolder(tmp_path / "prepared"))


def lines_of(text: StoredText) -> tuple[list[str], ...]:
    return tuple(list(side) for side in text.kept_lines)


def test_the_lines_of_all_corpora_come_back_in_order(tmp_path: Path) -> None:
    table = tmp_path / "b.tsv.gz"
    table.write_bytes(gzip.compress(b"neun\tnine\nzehn\tten\n"))
    text = stored(tmp_path, pair_of(tmp_path, "a", SOURCES, TARGETS), Corpus((str(table),), 2))
    assert lines_of(text) == ([*SOURCES, "neun", "zehn"], [*TARGETS, "nine", "ten"])
    assert text.parts() == [(0, 6, 1.0), (6, 8, 1.0)]
    assert [text.place(row) for row in (0, 5, 6)] == [
        f"{tmp_path / 'a.de'}, line 1",
        f"{tmp_path / 'a.de'}, line 6",
        f"{table}, line 1",
    ]


def test_lines_are_a_sequence_that_reads_what_is_asked_for(tmp_path: Path) -> None:
    lines = stored(tmp_path, pair_of(tmp_path, "a", SOURCES, TARGETS)).kept_lines[0]
    assert len(lines) == len(SOURCES)
    assert [lines[index] for index in range(len(lines))] == SOURCES
    assert lines[-1] == SOURCES[-1]
    for part in (slice(1, 4), slice(None, None, 2), slice(9, 12)):
        assert list(lines[part]) == SOURCES[part]
    with pytest.raises(IndexError):
        lines[len(SOURCES)]


def test_held_out_rows_are_not_kept(tmp_path: Path) -> None:
    text = stored(tmp_path, pair_of(tmp_path, "a", SOURCES, TARGETS))
    assert text.kept_rows().tolist() == list(range(6))
    without = text.without(np.array([1, 4]))
    assert without.kept_rows().tolist() == [0, 2, 3, 5]
    assert lines_of(without)[0] == [SOURCES[row] for row in (0, 2, 3, 5)]
    assert without.digest == text.digest
    assert without.key != text.key


def test_only_the_same_pair_is_a_repetition(tmp_path: Path) -> None:
    corpora = (
        pair_of(tmp_path, "a", SOURCES, TARGETS),
        pair_of(tmp_path, "b", ["vier", "Käse", "eins"], ["four\tand more", "käse", "one"]),
    )
    repeated = stored(tmp_path, *corpora).is_repeated()
    assert np.flatnonzero(repeated).tolist() == [5, 6, 8]


def files_in(tmp_path: Path) -> dict[Path, int]:
    files = (tmp_path / "prepared").rglob("*")
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def test_text_that_is_there_is_not_copied_again(tmp_path: Path) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    first = stored(tmp_path, corpus)
    before = files_in(tmp_path)
    moved = Corpus(tuple(f"{file}.moved" for file in corpus.files), 2)
    for file, other in zip(corpus.files, moved.files, strict=True):
        os.rename(file, other)
    again = stored(tmp_path, moved)
    assert files_in(tmp_path) == before
    assert again.digest == first.digest
    assert lines_of(again) == lines_of(first)
    assert again.place(0) == f"{moved.files[0]}, line 1"


def test_other_text_is_copied_beside_it(tmp_path: Path) -> None:
    first = stored(tmp_path, pair_of(tmp_path, "a", SOURCES, TARGETS))
    other = stored(tmp_path, pair_of(tmp_path, "a", SOURCES, TARGETS[::-1]))
    assert other.digest != first.digest
    assert lines_of(first) == (SOURCES, TARGETS)
    assert lines_of(other) == (SOURCES, TARGETS[::-1])


def test_the_digest_is_that_of_the_lines_however_they_are_packed(tmp_path: Path) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    first = stored(tmp_path, corpus)
    source = Path(corpus.files[0])
    source.write_bytes(gzip.compress(source.read_bytes()))
    packed = stored(tmp_path, corpus)
    assert packed.folder != first.folder
    assert packed.digest == first.digest


@pytest.mark.parametrize(
    ("sources", "targets"),
    [
        (["a", "b", "c"], ["x", "y", "z"]),
        (["a", "b"], ["c", "x"]),
        (["a b"], ["x"]),
        (["a"], ["b", "x"][:1]),
    ],
)
def test_different_lines_have_different_digests(
    tmp_path: Path, sources: list[str], targets: list[str]
) -> None:
    others = [(["a", "b"], ["x", "y"]), (["a", "b", "c", "d"], ["x", "y", "z", ""])]
    digests = {
        stored(tmp_path, pair_of(tmp_path, f"{number}", *pair)).digest
        for number, pair in enumerate([(sources, targets), *others])
    }
    assert len(digests) == 3


@pytest.mark.parametrize("record", [None, b"", b'{"digest": "\xff"}'])
def test_text_that_was_not_copied_to_its_end_is_copied_anew(
    tmp_path: Path, record: bytes | None
) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    text = stored(tmp_path, corpus)
    (text.folder / stored_text.RECORD).unlink()
    for path in text.folder.iterdir():
        path.write_bytes(path.read_bytes()[:3])
    if record is not None:
        (text.folder / stored_text.RECORD).write_bytes(record)
    assert lines_of(stored(tmp_path, corpus)) == (SOURCES, TARGETS)


@pytest.mark.parametrize("name", ["0.values", "1.lengths", stored_text.HASHES])
@pytest.mark.parametrize("lost", [1, 8])
def test_a_file_that_lost_its_end_is_not_trusted(tmp_path: Path, name: str, lost: int) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    path = stored(tmp_path, corpus).folder / name
    path.write_bytes(path.read_bytes()[:-lost])
    again = stored(tmp_path, corpus)
    assert lines_of(again) == (SOURCES, TARGETS)
    assert np.flatnonzero(again.is_repeated()).tolist() == [5]


def test_what_comes_out_of_a_pipe_is_copied_each_time(tmp_path: Path) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for lines in (SOURCES, SOURCES[::-1]):
        content = "\n".join(lines).encode()
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        assert lines_of(stored(tmp_path, Corpus((str(pipe), corpus.files[1]), 2)))[0] == lines
        writer.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ein Käse".encode()[:-3], "a.de, line 1: not UTF-8"),  # in the middle of a character
        (gzip.compress(b"eins\nzwei\n" * 99)[:-12], r"a\.de is a broken gzip file: .* after line"),
        (b"eins\n", "a.de has 1 line but .*a.en has 6"),
        (b"", "a.de is empty"),
        (None, "cannot read .*a.de"),
    ],
)
def test_text_that_cannot_be_read_is_refused_by_file_and_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    corpus = pair_of(tmp_path, "a", SOURCES, TARGETS)
    source = Path(corpus.files[0])
    source.unlink() if content is None else source.write_bytes(content)
    with pytest.raises(DataError, match=message):
        stored(tmp_path, corpus)


@pytest.mark.parametrize(("size", "left"), [(5, 5), (6, 3), (10, 5), (11, 4)])
def test_of_too_many_lines_some_at_even_distances_are_left(
    monkeypatch: pytest.MonkeyPatch, size: int, left: int
) -> None:
    monkeypatch.setattr(stored_text, "MOST_FOR_TOKENIZER", 5)
    lines = [str(number) for number in range(size)]
    found = list(map(int, thinned(lines)))
    assert len(found) == left <= 5
    assert len(set(np.diff(found).tolist())) == 1
