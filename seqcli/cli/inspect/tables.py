"""Tables of plain text: no frames, for people and for pipes."""

from collections.abc import Sequence
from itertools import zip_longest

GAP = "  "


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """Lay out rows under a header: the first `words` columns to the left, the numbers right."""
    widths = [max(map(len, column)) for column in zip_longest(header, *rows, fillvalue="")]
    return "\n".join(
        GAP.join(
            cell.ljust(width) if column < words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    )
