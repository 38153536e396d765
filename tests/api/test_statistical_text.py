import gzip
from pathlib import Path

import pytest

from seqcli.api.statistical_text import language_of, languages_of, read_pairs, read_text
from seqcli.errors import ConfigError, DataError
from seqcli.smt.recipe import PairsConfig


@pytest.mark.parametrize(
    ("file", "language"),
    [
        ("train.de", "de"),
        ("a/b.c/train.tok.fin.gz", "fin"),
        ("train.txt", None),
        ("train.tsv", None),
        ("train", None),
        ("train.DE", None),
        ("train.part1", None),
        ("-", None),
    ],
)
def test_the_language_is_what_the_name_ends_in(file: str, language: str | None) -> None:
    assert language_of(file) == language


def test_a_language_is_guessed_by_the_name_and_said_or_else_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, said = PairsConfig(train=("train.de", "train.txt")), list[str]()
    assert languages_of(data, (None, None), tell=said.append) == ("de", "en")
    assert [text.split(" (")[0] for text in said] == ["source language: de"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "--set target_language=de" in caplog.text


@pytest.mark.parametrize(
    ("train", "given", "languages"),
    [
        (("train.de", "train.txt"), ("fr", "it"), ("fr", "it")),
        (("pairs.tsv",), (None, "de"), ("en", "de")),
        ((), (None, "de"), ("en", "de")),
    ],
)
def test_of_a_language_that_is_given_or_does_not_matter_nothing_is_said(
    train: tuple[str, ...],
    given: tuple[str | None, str],
    languages: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = list[str]()
    matters = (given[0] is not None, True)
    data = PairsConfig(train=train)
    assert languages_of(data, given, tell=said.append, matters=matters) == languages
    assert not said
    assert not caplog.records


def test_pairs_of_files_and_tables_come_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\ty\n")
    (tmp_path / "b.de").write_bytes(gzip.compress(b"z\n"))
    (tmp_path / "b.en").write_text("w\n")
    files = [str(tmp_path / name) for name in ("a.tsv", "b.de", "b.en")]
    assert read_pairs("train", files) == (["x", "z"], ["y", "w"])
    with pytest.raises(ConfigError, match=r"data\.train must name pairs"):
        read_pairs("train", files[:2])
    assert read_pairs("valid", []) == ([], [])


def test_an_empty_file_of_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\n")
    with pytest.raises(DataError, match="is empty"):
        read_text([str(tmp_path / "a")])
