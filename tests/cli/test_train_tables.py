"""Training text in tab-separated files, as `seqcli train` takes it."""

import gzip
from pathlib import Path

import pytest

from seqcli.cli.main import main

ROWS = [f"Satz {number} von vielen\tline {number} of many" for number in range(8)]


def write_table(path: Path, rows: list[str]) -> str:
    content = "".join(f"{row}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def dry_run(*options: str) -> int:
    return main(["train", "--dry-run", "--device", "cpu", *options])


def test_tables_go_with_a_pair_of_files_and_with_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_table(tmp_path / "first.tsv", ROWS[:3])
    second = write_table(tmp_path / "second.tsv.gz", ROWS[3:])
    for side, name in enumerate(("a.de", "a.en")):
        (tmp_path / name).write_text("".join(row.split("\t")[side] + "\n" for row in ROWS[:2]))
    pair = (str(tmp_path / "a.de"), str(tmp_path / "a.en"))
    tables = ("--train-tsv", first, "--train-tsv", second, "--valid-tsv", first)
    assert dry_run("--train", *pair, *tables, "--test-tsv", second) == 0
    printed = capsys.readouterr()
    assert "pairs of test that are in the training text: 5 of 5 (100.0%)\n" in printed.err
    assert "10 to train on, 3 to validate on" in printed.out


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--train-tsv", "train.txt"], 2, "the name does not end in .tsv or .tsv.gz"),
        (["--train-tsv", "a.tsv", "--train-text", "b"], 2, "--train-text does not go with"),
        (["--train-tsv", "missing.tsv"], 1, "cannot read missing.tsv"),
    ],
)
def test_a_fault_is_told_in_words(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dry_run(*options) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_a_broken_row_is_told_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "a.tsv", [*ROWS, "no tab here"])
    assert dry_run("--train-tsv", table, "--valid-tsv", table) == 1
    assert f"{table}, line 9: there is no tab" in capsys.readouterr().err
