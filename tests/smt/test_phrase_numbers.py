"""Numbers of phrases against a sorted set of tuples."""

from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.phrase_numbers import NONE, number_phrases

texts = st.lists(st.lists(st.sampled_from("abc"), max_size=9), max_size=6)


@settings(max_examples=50)
@given(texts, st.integers(1, 8))
def test_phrases_are_numbered_in_the_order_of_a_dictionary(
    text: list[list[str]], longest: int
) -> None:
    sentences = encode_sentences(text, learn_vocabulary(text))
    found = number_phrases(sentences, longest)
    rows = [
        sentences.ids[begin:end].tolist()
        for begin, end in zip(sentences.starts[:-1], sentences.starts[1:], strict=True)
    ]
    runs = [
        [tuple(row[place : place + length]) for length in range(1, longest + 1)]
        for row in rows
        for place in range(len(row))
    ]
    room = [min(longest, len(row) - place) for row in rows for place in range(len(row))]
    distinct = sorted({run for of, most in zip(runs, room, strict=True) for run in of[:most]})
    numbers = {run: number for number, run in enumerate(distinct)}
    expected = [
        [numbers[run] for run in of[:most]] + [NONE] * (longest - most)
        for of, most in zip(runs, room, strict=True)
    ]
    assert found.numbers.tolist() == expected
    for run, place, length in zip(distinct, found.places, found.lengths, strict=True):
        assert tuple(sentences.ids[place : place + length].tolist()) == run
