import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.smt.compounds import (
    FILLERS,
    RAREST_PART,
    SHORTEST_PART,
    CompoundSplitter,
    learn_compounds,
)


def cuts_of(word: str, frequencies: dict[str, int]) -> list[list[str]]:
    """Every way to make a word of two or more known parts, by trial of all places."""
    found = []
    for count in range(1, len(word) // SHORTEST_PART):
        for places in itertools.combinations(range(1, len(word)), count):
            pieces = [word[i:j] for i, j in itertools.pairwise([0, *places, len(word)])]
            for fillers in itertools.product(FILLERS, repeat=count):
                if all(piece.endswith(fill) for piece, fill in zip(pieces, fillers, strict=False)):
                    parts = [p.removesuffix(f) for p, f in zip(pieces, [*fillers, ""], strict=True)]
                    if all(
                        len(part) >= SHORTEST_PART and frequencies.get(part, 0) >= RAREST_PART
                        for part in parts
                    ):
                        found.append(parts)
    return found


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("Spielhaus", ["spiel", "haus"]),
        ("Geburtstagskuchen", ["geburtstag", "kuchen"]),  # with a filler
        ("Hausspiel", ["haus", "spiel"]),
        ("Häuser", ["Häuser"]),  # no part is known
        ("Hausx", ["Hausx"]),
        ("Spielhaus2", ["Spielhaus2"]),
    ],
)
def test_a_compound_is_split_into_known_words(word: str, parts: list[str]) -> None:
    frequencies = dict.fromkeys(["spiel", "haus", "geburtstag", "kuchen"], 20)
    assert CompoundSplitter(frequencies).split([word]) == parts


def test_a_word_more_frequent_than_its_parts_stays_whole() -> None:
    frequencies = {"frei": 10, "heit": 12, "freiheit": 11}
    assert CompoundSplitter(frequencies).split(["Freiheit"]) == ["Freiheit"]  # mean: 10.95
    assert CompoundSplitter({**frequencies, "heit": 13}).split(["Freiheit"]) == ["frei", "heit"]


def test_parts_take_their_usual_casing() -> None:
    splitter = CompoundSplitter({"spiel": 9, "haus": 9}, str.capitalize)
    assert splitter.split(["das", "Spielhaus"]) == ["das", "Spiel", "Haus"]


def test_counts_are_of_all_casings_and_of_long_words_of_letters_only() -> None:
    splitter = learn_compounds([["Haus", "haus", "der", "B2B4"], ["Haus"]])
    assert splitter.frequencies == {"haus": 3}


def test_parts_that_are_to_be_joined_keep_all_letters_and_the_first_its_capital() -> None:
    frequencies = dict.fromkeys(["geburtstag", "kuchen"], 20)
    splitter = CompoundSplitter(frequencies, str.capitalize, joins=True)
    assert splitter.split(["Geburtstagskuchen"]) == ["Geburtstags@@", "Kuchen"]
    assert splitter.split(["GEBURTSTAGSKUCHEN"]) == ["GEBURTSTAGSKUCHEN"]


def test_parts_are_joined_wherever_they_stand() -> None:
    splitter = CompoundSplitter({"hausboot": 3, "haus": 3, "boot": 3, "steg": 3}, joins=True)
    assert splitter.join(["Haus@@", "Boots@@", "Steg", "ja", "Ende@@"]) == [
        "Hausbootssteg",
        "ja",
        "Ende",
    ]
    assert splitter.join(["Haus@@", "Boot"]) == ["Hausboot"]
    assert splitter.join([]) == []


def test_parts_are_not_joined_to_what_no_compound_ends_in() -> None:
    splitter = CompoundSplitter({"glas": 9, "haus": 9, "hat": 9}, joins=True)
    assert splitter.join(["Glas@@", "hat", "Glas@@", "Haus@@", ",", "Glas@@", "Haus"]) == [
        "Glas",
        "hat",
        "Glashaus",
        ",",
        "Glashaus",
    ]


@given(words=st.lists(st.text("abs", min_size=1, max_size=14).map(str.capitalize), max_size=4))
def test_joining_undoes_splitting(words: list[str]) -> None:
    splitter = CompoundSplitter(dict.fromkeys(["abab", "sasa", "bbbb", "aaas"], 9), joins=True)
    assert splitter.join(splitter.split(words)) == words


@given(
    word=st.text("abs", min_size=8, max_size=14),
    known=st.dictionaries(st.text("abs", min_size=4, max_size=6), st.integers(1, 40), max_size=30),
)
def test_the_best_of_all_cuts_is_taken(word: str, known: dict[str, int]) -> None:
    def score(parts: list[str]) -> float:
        return sum(math.log(known[part]) for part in parts) / len(parts)

    best = max(map(score, cuts_of(word, known)), default=-math.inf)
    parts = CompoundSplitter(known).split([word])
    if best <= math.log(known.get(word) or 0.5):
        assert parts == [word]
    else:
        assert score(parts) == pytest.approx(best)
