import itertools
import random

import pytest

from seqcli.errors import ModelError
from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.dictionary import Choice, DictionaryTranslator
from seqcli.smt.dictionary_training import (
    entry_lines,
    learn_chooser,
    learned_entries,
    parse_entry_lines,
    printed_entries,
)
from seqcli.smt.lexicon import learn_lexicon
from seqcli.smt.links import make_links
from seqcli.smt.moses import Moses
from seqcli.smt.truecaser import Truecaser
from seqcli.smt.words import MosesWords
from seqcli.tokenizers import EOS

TEXT = ["the dog sees a big tree .", "a man sees the small dog .", "the bank of the river ."]
ENTRIES = printed_entries(
    [("Hund", "hound"), ("hund", "dog"), ("sehr groß", "huge"), ("groß", "big"), ("Bank", "bench")],
    Moses("de"),
    Moses("en"),
)


def words(language: str) -> MosesWords:
    return MosesWords(language, Truecaser([], has_capitals=True))


def translated(line: str, **options: object) -> str:
    translator = DictionaryTranslator(
        ENTRIES, source_words=words("de"), target_words=words("en"), **options
    )
    (translation,) = translator.translate([line])
    return translation.text


@pytest.mark.parametrize(
    ("line", "translation"),
    [
        ("Hund", "Hound"),  # the first entry, with a capital
        ("der HUND, der Hund!", "Der hound, der hound!"),  # unknown words and signs are copied
        ("ein sehr großer Hund", "Ein sehr großer hound"),
        ("sehr groß, groß", "Huge, big"),  # the longest entry first
        ("Bank-Hund", "Bench-hound"),
        ("", ""),
        (" ", ""),
    ],
)
def test_each_word_is_put_in_place_of_its_entry(line: str, translation: str) -> None:
    assert translated(line) == translation


def test_a_bigram_model_chooses_what_the_text_likes() -> None:
    chooser = learn_chooser([line.split() for line in TEXT])
    assert translated("the Hund sees", chooser=chooser) == "The dog sees"


def test_the_choice_is_the_best_of_all() -> None:
    chance = random.Random(3)
    chooser = learn_chooser([line.split() for line in TEXT])
    known = sorted({word for line in TEXT for word in line.split()} | {"unknown"})
    for _ in range(20):
        places = [
            [
                Choice(tuple(chance.choices(known, k=chance.randint(1, 3))), -chance.random())
                for _ in range(chance.randint(1, 3))
            ]
            for _ in range(chance.randint(1, 4))
        ]

        def score(path: tuple[int, ...], places: list[list[Choice]] = places) -> float:
            total, state = 0.0, chooser.model.begin_state
            for place, number in zip(places, path, strict=True):
                total += place[number].log_probability
                for word in place[number].words:
                    log_probability, state = chooser.model.next_word(
                        state, chooser.vocabulary.id(word)
                    )
                    total += log_probability
            return total + chooser.model.next_word(state, EOS)[0]

        paths = list(itertools.product(*(range(len(place)) for place in places)))
        assert score(tuple(chooser.choose(places))) == pytest.approx(max(map(score, paths)))


def test_learned_entries_are_the_links_of_all_casings_by_share() -> None:
    source = [["Hund", "hund", "ein"], ["hund"]]
    target = [["dog", "dog", "a"], ["hound"]]
    vocabularies = learn_vocabulary(source), learn_vocabulary(target)
    lexicon = learn_lexicon(
        encode_sentences(source, vocabularies[0]),
        encode_sentences(target, vocabularies[1]),
        make_links([[(0, 0), (1, 1)], [(0, 0)]]),
    )
    entries = learned_entries(lexicon, *vocabularies)
    assert [choice.words for choice in entries["hund",]] == [("dog",), ("hound",)]
    assert ("ein",) not in entries  # it is linked to nothing


def test_what_was_written_is_read_again() -> None:
    assert parse_entry_lines(entry_lines(ENTRIES), "file") == ENTRIES


def test_a_dictionary_without_entries_is_refused() -> None:
    with pytest.raises(ModelError, match="file has no entries"):
        parse_entry_lines([], "file")


@pytest.mark.parametrize("line", ["", "a\tb", "a\tb\tx", "a\tb\t0\t1"])
def test_a_broken_line_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(ModelError, match="file, line 2"):
        parse_entry_lines(["a\tb\t0", line], "file")
