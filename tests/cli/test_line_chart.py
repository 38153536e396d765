from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.cli.line_chart import BRAILLE, COLORS, DOTS, Cell, Pens, chart_lines

PLAIN = Pens(1, colored=False)


def dots_of(rows: list[str]) -> set[tuple[int, int]]:
    """The dots of braille letters by column and row, from the definition of Unicode."""
    return {
        (2 * place + column, 4 * number + row)
        for number, text in enumerate(rows)
        for place, letter in enumerate(text)
        for column in range(2)
        for row in range(4)
        if letter != " " and ord(letter) - BRAILLE & DOTS[column][row]
    }


def drawn(curves: list[list[tuple[float, float]]], pens: Pens, *, height: int = 3) -> list[str]:
    """The rows of a chart between its axes, 20 columns wide."""
    *rows, _, _ = chart_lines(curves, pens, width=0, height=height)
    return [row.split("│")[1] for row in rows]


def test_a_straight_line_goes_from_corner_to_corner() -> None:
    rows = drawn([[(0, 5), (39, 44)]], PLAIN, height=10)
    assert dots_of(rows) == {(step, 39 - step) for step in range(40)}


@given(st.lists(st.integers(0, 100).map(float), min_size=2, max_size=40))
def test_a_line_has_no_gap_and_touches_its_highest_and_lowest_value(values: list[float]) -> None:
    dots = dots_of(drawn([list(enumerate(values))], PLAIN))
    columns: dict[int, list[int]] = {}
    for column, row in sorted(dots):
        columns.setdefault(column, []).append(row)
    assert list(columns) == list(range(40))
    for rows in columns.values():
        assert rows == list(range(rows[0], rows[-1] + 1))
    for before, after in pairwise(columns.values()):
        assert after[0] <= before[-1] + 1
        assert before[0] <= after[-1] + 1
    if len(set(values)) > 1:
        assert {row for _, row in dots} >= {0, 11}


def test_what_falls_into_one_column_is_drawn_at_its_mean() -> None:
    steps = range(4000)
    noisy = [(step, 10.0 if step % 2 else 0.0) for step in steps]
    dots = dots_of(drawn([[*noisy, (4000, 0.0), (4001, 10.0)]], PLAIN))
    assert {row for column, row in dots if column < 39} <= {5, 6}


@pytest.mark.parametrize("points", [[(7, 3.0)], [(1, 0.0), (9, 0.0)], [(1, -2.0), (2, -2.0)]])
def test_one_point_or_a_level_line_runs_through_the_middle(
    points: list[tuple[float, float]],
) -> None:
    rows = drawn([points], PLAIN, height=3)
    assert not rows[0].strip()
    assert rows[1].strip()
    assert not rows[2].strip()


def test_the_ends_of_both_axes_are_named() -> None:
    lines = list(chart_lines([[(10, 0.25), (12_000, 8.123456)]], PLAIN, width=60, height=4))
    assert lines[0].startswith("8.123 │")
    assert lines[3].startswith(" 0.25 │")
    assert lines[4] == "      └" + "─" * 53
    assert lines[5] == "       10" + "12,000".rjust(51)
    assert len(lines[5]) == 60


def test_without_colour_each_of_several_curves_is_drawn_in_its_letter() -> None:
    rows = drawn([[(0, 0), (19, 0)], [(0, 9), (19, 9)]], Pens(2, colored=False), height=3)
    assert rows == ["b" * 20, "", "a" * 20]
    assert Pens(2, colored=False).sample(1) == "b"


def test_in_colour_the_dots_of_curves_that_meet_share_a_letter() -> None:
    pens = Pens(2, colored=True)
    rows = drawn([[(0, 0), (19, 0)], [(0, 1), (19, 1)]], pens, height=1)
    assert rows == [f"\x1b[{COLORS[1]}m{chr(BRAILLE + 0x01 + 0x08 + 0x40 + 0x80)}\x1b[0m" * 20]


def test_more_curves_than_colours_are_told_apart_by_letters() -> None:
    count = len(COLORS) + 1
    pens = Pens(count, colored=True)
    assert len({pens.draw(Cell(number, 1)) for number in range(count)}) == count
    assert pens.sample(count - 1) == "g"
    many = Pens(62, colored=True)
    assert len({many.sample(number) for number in range(62)}) == 62


def test_a_curve_without_points_leaves_the_others_their_pens() -> None:
    line = [(0.0, 0.0), (19.0, 9.0)]
    assert drawn([[], line], Pens(2, colored=False)) == [
        row.replace("a", "b") for row in drawn([line, []], Pens(2, colored=False))
    ]
