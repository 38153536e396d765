"""Token ids in files: those of the tokenizer, made only once, and never half of them."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqcli.data import preparation
from seqcli.data.dataset import Example, Examples, Text
from seqcli.data.preparation import RECORD, prepare_examples
from seqcli.data.prepared_folder import PREPARED, PreparedFolder, preparing
from seqcli.data.rows import RowsWriter
from seqcli.errors import DataError, OutputError, PeerGone, SeqcliError
from seqcli.text.lines import UNFINISHED

TEXT: Text = ([f"{number}" for number in range(10)], [f"{2 * number}" for number in range(10)])


class Encoder:
    """Counts how many lines it has encoded, and dies when it has had enough."""

    def __init__(self, most: int = 100) -> None:
        self.num_lines = 0
        self._most = most

    def __call__(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        self.num_lines += len(text[0])
        if self.num_lines > self._most:
            raise KeyboardInterrupt
        return [
            Example([int(source)] * int(source), [int(target)])
            for source, target in zip(*text, strict=True)
        ]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "CHUNK", 3)


def prepared(
    folder: Path, encode: Encoder, *, key: str = "this", messages: list[str] | None = None
) -> Examples:
    return prepare_examples(
        TEXT,
        encode,
        prepared=PreparedFolder(folder),
        key=key,
        num_ids=300,
        tell=[].append if messages is None else messages.append,
    )


def everything(examples: Examples) -> list[Example]:
    return examples.take(np.arange(len(examples)))


EXPECTED = Encoder()(TEXT, alpha=0.0, seed=0)


def test_prepared_examples_are_those_of_the_encoder(tmp_path: Path) -> None:
    assert everything(prepared(tmp_path, Encoder())) == EXPECTED


def test_a_finished_preparation_is_used_at_once(tmp_path: Path) -> None:
    prepared(tmp_path, Encoder())
    again = Encoder()
    assert everything(prepared(tmp_path, again)) == EXPECTED
    assert again.num_lines == 0
    other = Encoder()
    prepared(tmp_path, other, key="another")
    assert other.num_lines == 10


@pytest.mark.parametrize(("most", "left"), [(0, 10), (2, 10), (3, 7), (6, 4), (9, 1)])
def test_a_killed_preparation_goes_on_behind_its_last_chunk(
    tmp_path: Path, most: int, left: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path, Encoder(most))
    second = Encoder()
    assert everything(prepared(tmp_path, second)) == EXPECTED
    assert second.num_lines == left


def test_what_was_written_behind_the_last_whole_chunk_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the ids of a chunk and the record of it."""
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "_write_record", lambda *_: Encoder(0)(TEXT, alpha=0, seed=0))
        with pytest.raises(KeyboardInterrupt):
            prepared(tmp_path, Encoder())
    assert any(path.stat().st_size for path in tmp_path.rglob("*.values"))
    assert everything(prepared(tmp_path, Encoder())) == EXPECTED


@pytest.mark.parametrize("name", ["source.values", "target.lengths", RECORD])
def test_a_file_that_lost_its_end_is_not_trusted(tmp_path: Path, name: str) -> None:
    prepared(tmp_path, Encoder())
    (path,) = tmp_path.rglob(name)
    path.write_bytes(path.read_bytes()[:-1])
    second = Encoder()
    assert everything(prepared(tmp_path, second)) == EXPECTED
    assert second.num_lines == 10


def test_progress_is_told_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    prepared(tmp_path, Encoder(), messages=messages)
    assert messages == []  # it was quick
    monkeypatch.setattr(preparation, "SECONDS_BETWEEN_MESSAGES", 0.0)
    prepared(tmp_path, Encoder(), key="another", messages=messages)
    assert messages[:2] == ["prepared 3 of 10 lines", "prepared 6 of 10 lines"]


def test_the_folder_keeps_what_was_asked_for_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / PREPARED
    for key in ("this", "another"):
        with preparing(folder) as parts:
            part = parts.part("text", key)
            part.mkdir()
            (part / "file").touch()
            (part / UNFINISHED.replace("*", "killed")).touch()
    assert list(folder.iterdir()) == [part]
    assert list(part.iterdir()) == [part / "file"]


def test_after_a_fault_the_folder_is_as_before(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        with preparing(folder) as parts:
            parts.part("text", "new").mkdir()
            raise DataError("a line is broken")

    with pytest.raises(DataError):
        fail(tmp_path / "training" / PREPARED)
    assert list(tmp_path.iterdir()) == []
    kept = tmp_path / "training" / PREPARED / "text-of-before"
    kept.mkdir(parents=True)
    with pytest.raises(DataError):
        fail(tmp_path / "training" / PREPARED)
    assert [path for path in tmp_path.rglob("*") if not any(path.iterdir())] == [kept]


@pytest.mark.parametrize(
    ("is_first", "fault"),
    [
        (True, PeerGone("another process of the training has ended")),
        (False, PeerGone("another process of the training has ended")),
        (False, DataError("a line is broken")),
    ],
)
def test_of_several_processes_the_first_alone_deletes_and_not_if_another_was_killed(
    tmp_path: Path, is_first: bool, fault: SeqcliError
) -> None:
    def prepare_and_fail() -> None:
        with preparing(tmp_path / PREPARED, is_first=is_first) as parts:
            prepared(parts.path, Encoder())
            raise fault

    with pytest.raises(type(fault)):
        prepare_and_fail()
    again = Encoder()
    with preparing(tmp_path / PREPARED, is_first=False) as parts:
        prepared(parts.path, again)
    assert again.num_lines == 0
    other = parts.part("ids", "of another")
    other.mkdir()
    with preparing(tmp_path / PREPARED, is_first=False):
        pass
    assert other.is_dir()


def test_after_a_kill_what_was_made_is_still_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), preparing(tmp_path / PREPARED) as parts:
        prepared(parts.path, Encoder(6))
    with preparing(tmp_path / PREPARED) as parts:
        second = Encoder()
        examples = prepare_examples(
            TEXT, second, prepared=parts, key="this", num_ids=300, tell=print
        )
    assert second.num_lines == 4
    assert everything(examples) == EXPECTED


def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RowsWriter, "flush", fail)
    with (
        pytest.raises(OutputError, match="No space left on device") as raised,
        preparing(tmp_path / PREPARED) as parts,
    ):
        prepared(parts.path, Encoder())
    assert str(tmp_path) in raised.value.what
    assert "disk" in raised.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot prepare the text"),
        preparing(tmp_path / "file" / PREPARED),
    ):
        shutil.rmtree(tmp_path)  # not reached
    assert (tmp_path / "file").exists()
