import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import bleu, chrf, ter

from seqcli.errors import ConfigError
from seqcli.evaluation import METRICS
from seqcli.evaluation.buckets import require_length_bounds, score_by_length

SOURCES = [
    "eins zwei drei vier",
    "eins",
    "",
    "eins zwei drei vier fünf",
    "eins\u3000zwei \t drei",
]
HYPOTHESES = ["one two three for", "one", "none", "one two three four five", "one two tree"]
FIRST = ["one two three four", "one", "", "one two three four six", "one two three"]
SECOND = ["one two three for four", "won", "none", "", "one, two, three"]


def test_a_bucket_scores_as_sacrebleu_scores_its_lines_alone() -> None:
    judges = [METRICS[name]() for name in ("bleu", "chrf", "ter")]
    _, middle, _ = score_by_length(judges, HYPOTHESES, [FIRST, SECOND], SOURCES, [2, 4])
    hypotheses = ["one two three for", "one two tree"]  # of the sources of three and four words
    references = [
        ["one two three four", "one two three"],
        ["one two three for four", "one, two, three"],
    ]
    assert (middle.shortest, middle.longest, middle.line_count) == (3, 4, 2)
    assert [score.value for score in middle.scores] == [
        scorer.corpus_score(hypotheses, references).score
        for scorer in (bleu.BLEU(force=True), chrf.CHRF(), ter.TER())
    ]


def test_an_empty_line_is_in_the_first_bucket_and_a_longer_one_in_the_last() -> None:
    buckets = score_by_length([], HYPOTHESES, [FIRST], SOURCES, [1, 3])
    assert [(bucket.shortest, bucket.longest, bucket.line_count) for bucket in buckets] == [
        (0, 1, 2),
        (2, 3, 1),
        (4, None, 2),
    ]


def test_a_bucket_without_lines_has_no_scores() -> None:
    _, *empty = score_by_length([METRICS["bleu"]()], HYPOTHESES, [FIRST], SOURCES, [5, 9])
    assert [(bucket.line_count, bucket.scores) for bucket in empty] == [(0, ()), (0, ())]


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    bounds=st.sets(st.integers(1, 40), min_size=1, max_size=5).map(sorted),
)
def test_each_line_is_counted_in_the_one_bucket_that_spans_its_length(
    lengths: list[int], bounds: list[int]
) -> None:
    lines = [" ".join("w" * length) for length in lengths]
    buckets = score_by_length([METRICS["accuracy"]()], lines, [lines], lines, bounds)
    for bucket in buckets:
        longest = 40 if bucket.longest is None else bucket.longest
        assert bucket.line_count == sum(bucket.shortest <= n <= longest for n in lengths)
    assert sum(bucket.line_count for bucket in buckets) == len(lines)


@pytest.mark.parametrize("bounds", [[0], [-1, 3], [10, 10], [10, 30, 20]])
def test_bounds_that_are_not_positive_or_do_not_increase_are_refused(bounds: list[int]) -> None:
    with pytest.raises(ConfigError) as caught:
        require_length_bounds(bounds)
    assert ",".join(map(str, bounds)) in caught.value.what
    assert caught.value.why
    assert caught.value.fix
