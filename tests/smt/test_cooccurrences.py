"""The numbers of word pairs against a dictionary of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.cooccurrences import find_cooccurrences
from seqcli.smt.corpus import Sentences

SENTENCE = st.lists(st.integers(3, 7), max_size=5)


def as_sentences(lines: list[list[int]]) -> Sentences:
    starts = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    return Sentences(np.array([word for line in lines for word in line], dtype=np.int32), starts)


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.tuples(SENTENCE, SENTENCE), max_size=6))
def test_a_cell_has_the_number_of_its_pair_of_words_and_no_other_pair_has_it(
    pairs: list[tuple[list[int], list[int]]],
) -> None:
    source, target = (as_sentences([pair[side] for pair in pairs]) for side in (0, 1))
    found = find_cooccurrences(source, target)
    words = [(e, f) for sources, targets in pairs for e in sources for f in targets]
    numbers = dict(zip(words, found.pairs.tolist(), strict=True))
    assert [numbers[pair] for pair in words] == found.pairs.tolist()
    assert sorted(numbers.values()) == list(range(len(numbers)))
    for (e, f), number in numbers.items():
        assert found.pair_starts[e] <= number < found.pair_starts[e + 1]
        assert found.pair_targets[number] == f
