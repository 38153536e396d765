from pathlib import Path

import pytest

from seqcli.data.corpora import Corpus, corpora_of
from seqcli.errors import DataError


@pytest.mark.parametrize(
    ("names", "num_sides", "groups"),
    [
        ([], 2, []),
        (["a", "b"], 2, [("a", "b")]),
        (["a", "b", "c", "d"], 2, [("a", "b"), ("c", "d")]),
        (["a.tsv", "b", "c", "d.tsv.gz"], 2, [("a.tsv",), ("b", "c"), ("d.tsv.gz",)]),
        (["a", "b.tsv"], 2, [("a", "b.tsv")]),  # the second of a pair, whatever its name
        (["a", "b.tsv"], 1, [("a",), ("b.tsv",)]),
    ],
)
def test_names_are_grouped_into_corpora(
    names: list[str], num_sides: int, groups: list[tuple[str, ...]]
) -> None:
    assert corpora_of(names, num_sides) == [Corpus(files, num_sides) for files in groups]


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a.tsv", "b"]])
def test_a_name_that_is_left_over_is_noticed(names: list[str]) -> None:
    assert corpora_of(names, 2) is None


def test_a_table_has_the_rows_of_a_pair_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("eins\n\nzwei drei\n")
    (tmp_path / "b").write_text("one\ntwo\n\n")
    (tmp_path / "c.tsv").write_text("eins\tone\r\n\ttwo\nzwei drei\t")
    pair, table = Corpus((str(tmp_path / "a"), str(tmp_path / "b")), 2), tmp_path / "c.tsv"
    assert list(Corpus((str(table),), 2).rows()) == list(pair.rows())
    assert pair.place(2) == f"{tmp_path / 'a'}, line 3"


def test_a_line_of_white_space_alone_is_empty(tmp_path: Path) -> None:
    """As it is for str.strip, which knows all white space of Unicode; spaces around text stay."""
    (tmp_path / "a").write_text(" \n\u3000\n a \n")
    (tmp_path / "c.tsv").write_text(" \tb\n\u3000\td\n a \t\xa0\n")
    assert list(Corpus((str(tmp_path / "a"),), 1).rows()) == [("",), ("",), (" a ",)]
    rows = [("", "b"), ("", "d"), (" a ", "")]
    assert list(Corpus((str(tmp_path / "c.tsv"),), 2).rows()) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nc d\n", "c.tsv, line 2: there is no tab"),
        ("a\tb\nc\td\te\n", "c.tsv, line 2: there are 2 tabs, not one"),
        ("a\tb\n\n", "c.tsv, line 2: there is no tab"),
        ("", "c.tsv is empty"),
    ],
)
def test_a_line_of_a_table_without_exactly_one_tab_is_named(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "c.tsv").write_text(content)
    with pytest.raises(DataError) as raised:
        list(Corpus((str(tmp_path / "c.tsv"),), 2).rows())
    assert raised.value.what.endswith(message)


def test_each_side_knows_the_file_that_it_is_in() -> None:
    assert Corpus(("a", "b"), 2).side_names == ("a", "b")
    assert Corpus(("a.tsv",), 2).side_names == ("a.tsv", "a.tsv")
    assert Corpus(("a",), 1).side_names == ("a",)
