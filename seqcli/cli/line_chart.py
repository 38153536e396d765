"""Curves drawn with characters: braille dots, or a letter for each curve."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean
from string import ascii_letters, digits
from typing import NamedTuple

BRAILLE, FULL = 0x2800, 0xFF  # the first of 256 letters, and the dots of the last
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a cell, by column and row

COLORS = (36, 33, 35, 32, 34, 31)  # of a terminal: cyan, yellow, magenta, green, blue, red
LETTERS = ascii_letters + digits
FEWEST_COLUMNS = 20

Points = Sequence[tuple[float, float]]


class Cell(NamedTuple):
    """What stands in a place of a chart: the curve drawn last, and the dots of all curves."""

    curve: int
    dots: int


class Pens:
    """How the curves of a chart are told apart: by colour, else by letter, or not if there is one.

    Six curves have colours of their own, and 62 have letters.
    """

    def __init__(self, count: int, *, colored: bool) -> None:
        self.colored = colored and count <= len(COLORS)
        self.fine = self.colored or count == 1

    def draw(self, cell: Cell) -> str:
        if not self.fine:
            return LETTERS[cell.curve % len(LETTERS)]
        text = chr(BRAILLE + cell.dots)
        return f"\x1b[{COLORS[cell.curve]}m{text}\x1b[0m" if self.colored else text

    def sample(self, curve: int) -> str:
        """What stands for a curve in a legend."""
        return self.draw(Cell(curve, FULL))


def chart_lines(curves: Sequence[Points], pens: Pens, *, width: int, height: int) -> Iterator[str]:
    """Draw curves between their axes, which are named by the ends of their ranges.

    One without points is not there, but the others have the pens that they would have beside it.
    The chart is so many characters wide, but for the curves there are at least `FEWEST_COLUMNS`.
    """
    low, high = _range([y for points in curves for _, y in points])
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    margin = max(map(len, labels.values()))
    columns = max(FEWEST_COLUMNS, width - margin - 2)
    rows = lay_out(curves, low, high, width=columns, height=height, fine=pens.fine)
    for number, row in enumerate(rows):
        text = "".join(" " if cell is None else pens.draw(cell) for cell in row)
        yield f"{labels.get(number, ''):>{margin}} │{text}".rstrip()
    xs = [x for points in curves for x, _ in points]
    first, last = f"{min(xs):,}", f"{max(xs):,}"
    yield f"{'':>{margin}} └{'─' * columns}"
    yield f"{'':>{margin}}  {first}{last:>{columns - len(first)}}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest value, apart: a level line runs through the middle."""
    low, high = min(values), max(values)
    if low < high:
        return low, high
    room = (abs(low) or 1) / 10
    return low - room, high + room


def lay_out(
    curves: Sequence[Points], low: float, high: float, *, width: int, height: int, fine: bool
) -> list[list[Cell | None]]:
    """Draw curves into rows of cells, the row of `high` values first; not all are without points.

    A fine cell has 2 x 4 dots, a coarse one a single one.
    """
    across, down = (2, 4) if fine else (1, 1)
    left = min(x for points in curves for x, _ in points)
    right = max(x for points in curves for x, _ in points)
    rows: list[list[Cell | None]] = [[None] * width for _ in range(height)]
    for number, points in enumerate(curves):
        places = [
            (
                (x - left) / ((right - left) or 1) * (across * width - 1),
                (high - y) / (high - low) * (down * height - 1),
            )
            for x, y in points
        ]
        for column, row in _line(places):
            cells, place = rows[row // down], column // across
            before = cells[place]
            dot = DOTS[column % across][row % down]
            cells[place] = Cell(number, dot | (before.dots if before else 0))
    return rows


def _line(places: Points) -> Iterator[tuple[int, int]]:
    """Each dot of a line, as its column and row: through the mean of what falls into a column."""
    columns = defaultdict(list)
    for x, y in places:
        columns[round(x)].append(y)
    if not columns:
        return
    means = [(column, fmean(heights)) for column, heights in sorted(columns.items())]
    here = round(means[0][1])
    yield means[0][0], here
    for (start, before), (end, after) in pairwise(means):
        for column in range(start + 1, end + 1):
            there = round(before + (after - before) * (column - start) / (end - start))
            step = 1 if there >= here else -1
            for row in range(here + step if there != here else there, there + step, step):
                yield column, row
            here = there
