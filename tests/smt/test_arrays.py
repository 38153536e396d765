import errno
import os
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import pytest

from seqcli.errors import ModelError, OutputError
from seqcli.smt.arrays import CHECKSUMS, Ids, Singles, load_arrays, save_arrays


class Toy(NamedTuple):
    ids: Ids
    scores: Singles


TOY = Toy(np.arange(1000, dtype=np.int32), np.ones((300, 2), np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_arrays(TOY, tmp_path)
    return tmp_path


def test_what_was_saved_is_loaded(folder: Path) -> None:
    for before, after in zip(TOY, load_arrays(Toy, folder), strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype


def test_files_are_those_of_numpy_with_their_checksums(folder: Path, tmp_path: Path) -> None:
    contents = {name: (folder / f"{name}.npy").read_bytes() for name in Toy._fields}
    for name, array in TOY._asdict().items():
        np.save(tmp_path / "plain.npy", array)
        assert (tmp_path / "plain.npy").read_bytes() == contents[name]
    checksums = msgspec.json.decode((folder / CHECKSUMS).read_bytes())
    assert checksums == {name: crc32(content) for name, content in contents.items()}


@pytest.mark.parametrize("place", [20, 300, -1])
@pytest.mark.parametrize("name", Toy._fields)
def test_a_byte_that_changed_is_found(folder: Path, name: str, place: int) -> None:
    content = bytearray((folder / f"{name}.npy").read_bytes())
    content[place] ^= 1
    (folder / f"{name}.npy").write_bytes(content)
    with pytest.raises(ModelError, match=name):
        load_arrays(Toy, folder)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"\xff": 1}', b'{"ids": "x"}'])
def test_checksums_that_are_missing_or_broken_are_refused(
    folder: Path, content: bytes | None
) -> None:
    (folder / CHECKSUMS).unlink()
    if content is not None:
        (folder / CHECKSUMS).write_bytes(content)
    with pytest.raises(ModelError, match="broken"):
        load_arrays(Toy, folder)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "ids.npy").symlink_to("/dev/full")  # a device is written to directly
    with pytest.raises(OutputError, match=os.strerror(errno.ENOSPC)) as caught:
        save_arrays(TOY, tmp_path)
    assert "Free some space" in caught.value.fix
