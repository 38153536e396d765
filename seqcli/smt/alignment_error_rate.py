"""Links compared with those that people made: alignment error rate (Och and Ney, 2003)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqcli.errors import DataError
from seqcli.smt.corpus import Sentences
from seqcli.smt.links import Links
from seqcli.text.lines import name_of, read_lines

GOLD_LINK = re.compile(r"([1-9][0-9]{0,8})([-p])([1-9][0-9]{0,8})")

Pairs = frozenset[tuple[int, int]]


class GoldPair(NamedTuple):
    """The links of one pair as (source, target), counted from 0."""

    sure: Pairs
    possible: Pairs  # the sure ones among them


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """How links agree with gold."""

    error_rate: float  # 1 - (those that are sure + those that are possible) / (links + sure)
    precision: float  # the share of links that are possible
    recall: float  # the share of sure links that are there
    num_links: int
    num_sure: int


def read_gold(path: str | Path, source: Sentences, target: Sentences) -> list[GoldPair]:
    """Read a line for each pair: `i-j` is a sure link, `ipj` a possible one, counted from 1.

    DataError, with the line, for what is no link or leads out of the sentences; for another number
    of lines, and if there is no link at all.
    """
    lengths = list(zip(source.lengths().tolist(), target.lengths().tolist(), strict=True))
    gold = []
    num_lines = 0
    for num_lines, line in enumerate(read_lines(path), start=1):
        if num_lines <= len(lengths):
            gold.append(_parse(line, *lengths[num_lines - 1], f"{name_of(path)}, line {num_lines}"))
    if num_lines != len(lengths):
        raise DataError(
            f"{name_of(path)} has {num_lines} lines but the text has {len(lengths)}",
            why="line N has the links of the pair in line N of the text",
            fix="Give the gold links of this very text",
        )
    if not any(pair.possible for pair in gold):
        raise DataError(
            f"{name_of(path)} has no link",
            why="there is nothing to compare with",
            fix="Check that it is the right file",
        )
    return gold


def score_alignment(links: Links, gold: list[GoldPair]) -> AlignmentScore:
    """Compare the links of each pair with its gold. ValueError for another number of pairs."""
    num_links = num_sure = found_sure = found_possible = 0
    for number, pair in zip(range(links.num_pairs), gold, strict=True):
        found = frozenset(links.of_pair(number))
        num_links += len(found)
        num_sure += len(pair.sure)
        found_sure += len(found & pair.sure)
        found_possible += len(found & pair.possible)
    return AlignmentScore(
        error_rate=1 - _share(found_sure + found_possible, num_links + num_sure),
        precision=_share(found_possible, num_links),
        recall=_share(found_sure, num_sure),
        num_links=num_links,
        num_sure=num_sure,
    )


def _share(part: int, whole: int) -> float:
    """A part of the whole; of nothing all is there."""
    return part / whole if whole else 1.0


def _parse(line: str, source_length: int, target_length: int, where: str) -> GoldPair:
    sure, possible = set(), set()
    for word in line.split():
        match = GOLD_LINK.fullmatch(word)
        if match is None:
            raise DataError(
                f"{where}: {word[:40]!r} is no gold link",
                why="1-2 is a sure link, 1p2 a possible one; both positions count from 1",
                fix="Correct the line",
            )
        link = int(match[1]) - 1, int(match[3]) - 1
        if link[0] >= source_length or link[1] >= target_length:
            raise DataError(
                f"{where}: {word} leads out of a pair with {source_length} source and "
                f"{target_length} target words",
                why="gold links count words between spaces, in the same text",
                fix="Give the text with its words as the gold links have them",
            )
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return GoldPair(frozenset(sure), frozenset(possible))
