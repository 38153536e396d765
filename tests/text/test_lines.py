import gzip
import io
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.text.lines import STDIN, is_read_once, read_lines, write_atomically

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0")).map(
    lambda line: line.rstrip("\r")
)
BREAKS_FOR_PYTHON = "a\u2028b\u2029c\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\rj"


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "text"
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    return caught.value.what


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines")


@settings(deadline=None)
@given(st.lists(LINE))
def test_lines_written_are_read_back(folder: Path, lines: list[str]) -> None:
    lines = [line.removeprefix("\ufeff") for line in lines]
    path = folder / "text"
    with write_atomically(path) as stream:
        stream.writelines(f"{line}\n" for line in lines)
    assert list(read_lines(path)) == lines
    assert path.read_bytes() == "".join(f"{line}\n" for line in lines).encode()


@settings(deadline=None)
@given(st.lists(LINE, min_size=1))
def test_packed_text_reads_as_the_plain_text_does(folder: Path, lines: list[str]) -> None:
    content = "\r\n".join(lines).encode()
    packed = saved(folder, gzip.compress(content, compresslevel=1))
    unpacked = list(read_lines(packed))
    assert unpacked == list(read_lines(saved(folder, content)))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\n\nb\n\n", ["a", "", "", "b", ""]),
        (b"a\nlast without an end", ["a", "last without an end"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (b"a\rb\n", ["a\rb"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbf\n", [""]),
        (b"\x1f", ["\x1f"]),
        (b" a \t\n", [" a \t"]),
    ],
)
def test_only_line_ends_and_a_first_mark_are_taken_away(
    tmp_path: Path, content: bytes, lines: list[str]
) -> None:
    assert list(read_lines(saved(tmp_path, content))) == lines
    assert list(read_lines(str(tmp_path / "text"))) == lines


def test_a_line_ends_only_where_wc_ends_it(tmp_path: Path) -> None:
    path = saved(tmp_path, f"{BREAKS_FOR_PYTHON}\nk\n".encode())
    count = int(subprocess.check_output(["wc", "-l", path]).split()[0])
    assert list(read_lines(path)) == [BREAKS_FOR_PYTHON, "k"]
    assert count == 2


def test_a_very_long_line_is_one_line(tmp_path: Path) -> None:
    long = "Käse " * 200_000
    assert list(read_lines(saved(tmp_path, f"{long}\nb\n".encode()))) == [long, "b"]


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"good\nbad \xff\n", 2),
        (b"good\n\ncut \xe2\x82", 3),  # the end of the file in the middle of a character
        ("latin: Käse".encode("latin-1"), 1),
        (b"\xed\xa0\x80\n", 1),  # half of a surrogate pair
    ],
)
def test_what_is_not_utf8_is_refused_by_file_and_line(
    tmp_path: Path, content: bytes, number: int
) -> None:
    path = saved(tmp_path, content)
    assert refusal(path) == f"{path}, line {number}: not UTF-8"


def test_lines_before_a_bad_one_are_given(tmp_path: Path) -> None:
    lines = read_lines(saved(tmp_path, b"a\nb\n\xff\n"))
    assert [next(lines), next(lines)] == ["a", "b"]
    with pytest.raises(DataError):
        next(lines)


def test_a_nul_byte_is_refused_by_file_and_line(tmp_path: Path) -> None:
    path = saved(tmp_path, b"a\nb\0c\n")
    assert refusal(path) == f"{path}, line 2: there is a NUL byte"


def test_utf16_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: there is a NUL byte") as caught:
        list(read_lines(saved(tmp_path, "Käse".encode("utf-16"))))
    assert "iconv -f UTF-16" in caught.value.fix


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert refusal(missing) == f"cannot read {missing}: No such file or directory"
    assert refusal(tmp_path) == f"cannot read {tmp_path}: Is a directory"
    assert "Not a directory" in refusal(saved(tmp_path, b"") / "below")


def test_a_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert refusal(tmp_path / "secret") == f"cannot read {tmp_path / 'secret'}: Permission denied"


def test_a_cut_or_damaged_gzip_file_is_refused_by_name(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(3000).hex().encode()
    packed = gzip.compress(b"first\n" + content)
    for broken in (
        packed[:-4],
        packed[:100],
        packed[:5],
        packed[:500] + bytes(50) + packed[550:],
        packed + b"more",
    ):
        path = saved(tmp_path, broken)
        assert refusal(path).startswith(f"{path} is a broken gzip file: ")


def test_a_cut_gzip_file_is_refused_with_the_last_line_that_could_be_read(tmp_path: Path) -> None:
    lines = [f"{number} {random.Random(number).random()}" for number in range(2000)]
    packed = gzip.compress("\n".join(lines).encode())
    path = saved(tmp_path, packed[: len(packed) // 2])
    read: list[str] = []
    with pytest.raises(DataError) as raised:
        read.extend(read_lines(path))
    assert raised.value.what.endswith(f"after line {len(read)}")
    assert 0 < len(read) < 2000
    assert read == lines[: len(read)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_named_pipe_is_read_as_its_lines_arrive(tmp_path: Path, pack: type[bytes]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(pack(b"a\nb\n"),))
    writer.start()
    assert list(read_lines(pipe)) == ["a", "b"]
    writer.join()


def test_a_pipe_is_known_from_what_can_be_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert all(map(is_read_once, (STDIN, tmp_path / "pipe", tmp_path / "link", os.devnull)))
    assert not any(map(is_read_once, (saved(tmp_path, b"a\n"), tmp_path, tmp_path / "absent")))


@pytest.mark.parametrize("path", [STDIN, "/dev/stdin"])
def test_standard_input_gives_a_line_before_the_next_is_written(path: str) -> None:
    program = (
        "import sys; from seqcli.text.lines import read_lines\n"
        "for line in read_lines(sys.argv[1]): print(repr(line), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in ("", "Käse", "c"):
            process.stdin.write(f"{line}\r\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().decode() == f"{line!r}\n"
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_stand_in_for_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\n")))
    lines = read_lines(STDIN)
    assert next(lines) == "a"
    with pytest.raises(DataError, match="standard input, line 2: not UTF-8"):
        next(lines)


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        next(read_lines(STDIN))


def test_nothing_is_opened_before_the_first_line_is_asked_for(tmp_path: Path) -> None:
    lines = read_lines(tmp_path / "later")
    (tmp_path / "later").write_bytes(b"a\n")
    assert next(lines) == "a"
