"""Word alignments of many pairs in flat arrays, and as lines in Pharaoh's format: `0-0 1-2`."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.errors import DataError
from seqcli.text.lines import name_of, read_lines

NULL = -1  # the position of no word
MOST_DIGITS = 9  # of a position, so that it is an int32
LINK = re.compile(rf"([0-9]{{1,{MOST_DIGITS}}})-([0-9]{{1,{MOST_DIGITS}}})")


class Links(NamedTuple):
    """Which word belongs to which; the links of pair n are [starts[n]:starts[n + 1]].

    Positions count from 0 in their own sentence. Inside a pair links are sorted by source, then
    target, and none stands there twice.
    """

    starts: NDArray[np.int64]  # one more than there are pairs
    source: NDArray[np.int32]
    target: NDArray[np.int32]

    @property
    def num_pairs(self) -> int:
        return len(self.starts) - 1

    def of_pair(self, number: int) -> list[tuple[int, int]]:
        """The links of one pair, each as (source, target)."""
        here = slice(self.starts[number], self.starts[number + 1])
        return list(zip(self.source[here].tolist(), self.target[here].tolist(), strict=True))


class DirectedLinks(NamedTuple):
    """For each word of many pairs the one position it is linked to in the other text, or NULL."""

    to_source: NDArray[np.int32]  # of each target word
    to_target: NDArray[np.int32]  # of each source word


def make_links(pairs: Iterable[Iterable[tuple[int, int]]]) -> Links:
    """Put the links of each pair, in any order, into arrays."""
    starts, flat = [0], list[tuple[int, int]]()
    for links in pairs:
        flat.extend(sorted(set(links)))
        starts.append(len(flat))
    both = np.array(flat, dtype=np.int32).reshape(-1, 2)
    return Links(np.array(starts, dtype=np.int64), both[:, 0].copy(), both[:, 1].copy())


def format_links(links: Links) -> Iterator[str]:
    """Yield the line of each pair; that of a pair without links is empty."""
    texts = [f"{i}-{j}" for i, j in zip(links.source.tolist(), links.target.tolist(), strict=True)]
    starts = links.starts.tolist()
    for start, end in pairwise(starts):
        yield " ".join(texts[start:end])


def read_links(path: str | Path) -> Links:
    """Read lines in Pharaoh's format. DataError names the line of what is no link."""
    return make_links(
        parse_links(line, name_of(path), number)
        for number, line in enumerate(read_lines(path), start=1)
    )


def parse_links(line: str, name: str, number: int) -> list[tuple[int, int]]:
    """The links of a line, which is the `number`-th of the file `name` in a message."""
    matches = [(word, LINK.fullmatch(word)) for word in line.split()]
    for word, match in matches:
        if match is None:
            raise DataError(
                f"{name}, line {number}: {word[:40]!r} is no link",
                why="a link is SOURCE-TARGET, two positions that count from 0, such as 0-2",
                fix="Correct the line",
            )
    return [(int(match[1]), int(match[2])) for _, match in matches if match is not None]
