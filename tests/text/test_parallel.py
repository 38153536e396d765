from pathlib import Path

import pytest

from seqcli.errors import DataError
from seqcli.text.parallel import read_parallel


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_line_n_of_one_stands_beside_line_n_of_the_other(tmp_path: Path) -> None:
    source = write(tmp_path / "a.de", "eins\r\n\r\ndrei\u2028und mehr")
    target = write(tmp_path / "a.en", "\ufeffone\n\nthree\n")
    assert read_parallel(source, target) == (
        ["eins", "", "drei\u2028und mehr"],
        ["one", "", "three"],
    )


def test_files_of_different_length_are_refused_with_both_counts(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.de", "1\n2\n3\n"), write(tmp_path / "a.en", "1\n2\n")
    with pytest.raises(DataError) as caught:
        read_parallel(source, target)
    assert caught.value.what == f"{source} has 3 lines but {target} has 2"
    assert caught.value.why
    assert caught.value.fix


@pytest.mark.parametrize(("source", "target", "empty"), [("", "a\n", 0), ("a\n", "", 1)])
def test_an_empty_file_is_refused_by_name(
    tmp_path: Path, source: str, target: str, empty: int
) -> None:
    paths = write(tmp_path / "a.de", source), write(tmp_path / "a.en", target)
    with pytest.raises(DataError) as caught:
        read_parallel(*paths)
    assert caught.value.what == f"{paths[empty]} is empty"
