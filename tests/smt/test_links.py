"""Links in arrays and in Pharaoh's format."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.smt.links import format_links, make_links, parse_links, read_links

LINKS = st.sets(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=6)


@given(st.lists(LINKS, max_size=6))
def test_links_are_sorted_and_their_lines_read_back_as_the_same(
    pairs: list[set[tuple[int, int]]],
) -> None:
    links = make_links(pairs)
    assert links.num_pairs == len(pairs)
    assert [links.of_pair(number) for number in range(len(pairs))] == [*map(sorted, pairs)]
    lines = list(format_links(links))
    assert [set(parse_links(line, "file", 1)) for line in lines] == pairs


def test_a_pair_without_links_is_an_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "links"
    path.write_text("1-2 0-0\n\n3-1\n", encoding="utf-8")
    links = read_links(path)
    assert list(format_links(links)) == ["0-0 1-2", "", "3-1"]


@pytest.mark.parametrize("word", ["1", "1-", "a-b", "-1-2", "1-2-3", "1p2", "1-9999999999", "²-1"])
def test_what_is_no_link_is_refused_with_its_line(tmp_path: Path, word: str) -> None:
    path = tmp_path / "links"
    path.write_text(f"0-0\n1-1 {word}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"links, line 2: '.*' is no link"):
        read_links(path)
