"""The error rate by hand, and gold that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from seqcli.errors import DataError
from seqcli.smt.alignment_error_rate import GoldPair, read_gold, score_alignment
from seqcli.smt.corpus import Sentences
from seqcli.smt.links import make_links


def of_lengths(*lengths: int) -> Sentences:
    starts = np.cumsum([0, *lengths])
    return Sentences(np.full(starts[-1], 4, np.int32), starts)


SOURCE, TARGET = of_lengths(3, 0, 2), of_lengths(2, 1, 2)


def gold_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gold"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_gold_line_counts_from_one_and_sure_links_are_possible_too(tmp_path: Path) -> None:
    gold = read_gold(gold_file(tmp_path, "1-1 3p2 2-1\n\n2p2\n"), SOURCE, TARGET)
    sure = frozenset({(0, 0), (1, 0)})
    assert gold == [
        GoldPair(sure, sure | {(2, 1)}),
        GoldPair(frozenset(), frozenset()),
        GoldPair(frozenset(), frozenset({(1, 1)})),
    ]


def test_the_score_is_that_of_the_formula() -> None:
    sure, possible = frozenset({(0, 0), (1, 0)}), frozenset({(0, 0), (1, 0), (2, 1)})
    gold = [GoldPair(sure, possible), GoldPair(frozenset(), frozenset())]
    score = score_alignment(make_links([[(0, 0), (2, 1), (0, 1)], [(1, 1)]]), gold)
    assert score.error_rate == pytest.approx(1 - (1 + 2) / (4 + 2))
    assert score.precision == pytest.approx(2 / 4)
    assert score.recall == pytest.approx(1 / 2)
    assert (score.num_links, score.num_sure) == (4, 2)


def test_gold_itself_has_no_errors() -> None:
    links = frozenset({(0, 1), (1, 0)})
    score = score_alignment(make_links([links]), [GoldPair(links, links)])
    assert (score.error_rate, score.precision, score.recall) == (0, 1, 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1-1\n\n1-1 x\n", r"gold, line 3: 'x' is no gold link"),
        ("0-1\n\n\n", r"gold, line 1: '0-1' is no gold link"),
        ("1-1\n\n1-3\n", r"gold, line 3: 1-3 leads out of a pair with 2 source and 2 target words"),
        ("1-1\n1p1\n\n", r"gold, line 2: 1p1 leads out of a pair with 0 source"),
        ("1-1\n\n", "gold has 2 lines but the text has 3"),
        ("1-1\n\n\n9-9\n", "gold has 4 lines but the text has 3"),
        ("\n\n\n", "gold has no link"),
    ],
)
def test_gold_that_does_not_fit_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        read_gold(gold_file(tmp_path, text), SOURCE, TARGET)
