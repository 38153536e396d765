"""Join neighbouring lines of two aligned files into longer ones.

python join_lines.py SOURCE TARGET OUTPUT_SOURCE OUTPUT_TARGET

One to four lines are joined at a time, in order, as often each. The single ones are in it, too.
"""

import sys
from itertools import cycle
from pathlib import Path

COUNTS = (1, 2, 3, 4)


def main(paths: list[str]) -> None:
    """Read the first two files and write the last two."""
    for source, output in zip(paths[:2], paths[2:], strict=True):
        lines = Path(source).read_text(encoding="utf-8").splitlines()
        joined, start, counts = [], 0, cycle(COUNTS)
        while start < len(lines):
            count = next(counts)
            joined.append(" ".join(lines[start : start + count]) + "\n")
            start += count
        Path(output).write_text("".join(joined), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
