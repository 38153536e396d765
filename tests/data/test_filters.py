import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.data.filters import CUT, SKIP, Filters, Usable, apply_filters
from seqcli.errors import DataError

pair_lengths = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()))


def usable(pairs: list[tuple[int, int, bool]], filters: Filters) -> Usable:
    sources, targets, repeated = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    return apply_filters(filters, sources, targets, repeated=lambda: repeated > 0)


@given(
    pair_lengths.filter(bool),
    st.sampled_from([SKIP, CUT]),
    st.none() | st.floats(1, 4),
    st.booleans(),
)
def test_the_rules_take_what_they_take_pair_by_pair(
    pairs: list[tuple[int, int, bool]], too_long: str, ratio: float | None, drop: bool
) -> None:
    filters = Filters(8, too_long=too_long, max_length_ratio=ratio, drop_duplicates=drop)
    kept, counts, num_cut = [], dict.fromkeys(("empty", "long", "ratio", "repeated"), 0), 0
    for row, (source, target, is_repeated) in enumerate(pairs):
        if 0 in (source, target):
            counts["empty"] += 1
        elif max(source, target) > 8 and too_long == SKIP:
            counts["long"] += 1
        elif ratio is not None and max(source / target, target / source) > ratio:
            counts["ratio"] += 1
        elif is_repeated and drop:
            counts["repeated"] += 1
        else:
            kept.append(row)
            num_cut += max(source, target) > 8
    found = usable(pairs, filters)
    assert found.places.tolist() == kept
    assert (
        sorted(found.left_out.values(), reverse=True)[:4]
        == sorted(counts.values(), reverse=True)[: len(found.left_out)]
    )
    assert found.num_left_out == sum(counts.values())
    assert found.num_cut == num_cut


PAIRS = [(0, 1, False), (9, 1, False), (5, 1, False), (2, 2, True), (3, 3, False)]


def test_every_rule_is_reported_with_its_key() -> None:
    found = usable(PAIRS, Filters(8, max_length_ratio=4, drop_duplicates=True))
    assert found.losses("pairs") == (
        "1 pair with an empty side, 1 with more than 8 tokens (data.max_length), "
        "1 beyond a length ratio of 4 (data.max_length_ratio), "
        "1 that repeat another (data.drop_duplicates)"
    )
    cut = usable(PAIRS[1:], Filters(8, too_long=CUT))
    assert (cut.losses("pairs"), cut.cuts("pairs")) == ("", "1 pair to 8 tokens (data.too_long)")
    whole = usable(PAIRS[-1:], Filters(8))
    assert (whole.losses("pairs"), whole.cuts("pairs")) == ("", "")


def test_nothing_left_is_refused_with_the_count_of_each_reason() -> None:
    usable(PAIRS, Filters(8)).require_any("pairs")
    found = usable(PAIRS[:4], Filters(8, max_length_ratio=4, drop_duplicates=True))
    with pytest.raises(DataError) as raised:
        found.require_any("pairs")
    assert raised.value.what.startswith("none of the 4 pairs can be used: 1 pair with an empty")
    assert "1 with more than 8 tokens (data.max_length)" in raised.value.what
    assert "1 that repeat another (data.drop_duplicates)" in raised.value.what
