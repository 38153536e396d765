from seqcli.smt.truecaser import learn_truecaser, starts_of

SENTENCES = [line.split() for line in ("Der Hund sieht der Katze zu .", "Die Katze der Frau .")]


def test_a_sentence_starts_at_the_front_after_its_end_and_behind_opening_signs() -> None:
    words = ["„", "Ja", "!", "“", "sagt", "er", ".", "Gut"]
    starts = [word for word, is_start in zip(words, starts_of(words), strict=True) if is_start]
    assert starts == ["Ja", "sagt", "Gut"]


def test_words_at_the_start_of_a_sentence_change_their_case() -> None:
    changed = learn_truecaser(SENTENCES).truecase(["Der", "Mann", ".", "Katze"])
    assert changed == ["der", "Mann", ".", "Katze"]


def test_elsewhere_only_words_that_are_unknown_as_they_stand_change_their_case() -> None:
    truecaser = learn_truecaser([["x", "Weg", "weg", "weg"]])
    assert truecaser.truecase(["x", "Weg", "weg", "WEG", "NEU"]) == [
        "x",
        "Weg",
        "weg",
        "weg",
        "NEU",
    ]


def test_what_was_learned_from_keeps_its_case_but_at_starts() -> None:
    sentences = [["Ein", "IST", "ist", "ist", "Ist"], ["der", "EIN", "Der"]]
    truecaser = learn_truecaser(sentences)
    for words in sentences:
        assert truecaser.truecase(words)[1:] == words[1:]


def test_the_more_frequent_of_two_casings_is_the_usual_one() -> None:
    truecaser = learn_truecaser([["x", "Weg", "weg", "weg"]])
    assert truecaser.usual("WEG") == "weg"


def test_a_word_seen_at_starts_alone_stays_as_it_is() -> None:
    assert learn_truecaser(SENTENCES).truecase(["Die"]) == ["Die"]


def test_detruecasing_gives_back_what_truecasing_took() -> None:
    truecaser = learn_truecaser(SENTENCES)
    for words in SENTENCES:
        assert truecaser.detruecase(truecaser.truecase(words)) == words


def test_text_without_capitals_gets_none() -> None:
    truecaser = learn_truecaser([["ein", "satz"], ["noch", "einer"]])
    assert truecaser.detruecase(["so", "bleibt", "es"]) == ["so", "bleibt", "es"]


def test_sentences_have_capitals_where_nothing_tells() -> None:
    assert learn_truecaser([]).detruecase(["ein", "satz"]) == ["Ein", "satz"]
