import pytest

from seqcli.config import from_dict
from seqcli.errors import DataError
from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.recipe import PairsConfig, SmtRecipe
from seqcli.smt.word_training import (
    aligned_alike,
    learn_moses,
    learn_side,
    unknown_share,
    usable_pairs,
)
from seqcli.tokenizers import UNK

# Six times each: enough to be parts of a compound
LINES = ["Das Spiel am Haus", "das Haus am Spiel", "ein Spielhaus"] * 6


def learned(dev: list[str], **settings: object) -> tuple[list[list[str]], str]:
    news: list[str] = []
    recipe = from_dict(settings, SmtRecipe, origin="test")
    side = learn_side(LINES, dev, recipe, "source", "de", news.append)
    return side.tokens, " ".join(news)


def test_compounds_are_split_where_that_makes_a_tenth_of_the_unknown_words_known() -> None:
    tokens, news = learned(["das Hausspiel", "der Hund"])
    assert tokens[2] == ["ein", "Spiel", "Haus"]
    assert (
        "split (unknown words of the validation text: 75.00% as they are, 40.00% if split)" in news
    )


@pytest.mark.parametrize("dev", [["der Hund"], ["das Spiel"], []])
def test_compounds_stay_whole_where_nothing_is_gained(dev: list[str]) -> None:
    tokens, news = learned(dev)
    assert tokens[2] == ["ein", "Spielhaus"]
    assert "compounds: not split" in news


def test_the_recipe_has_the_last_word_on_compounds() -> None:
    assert learned([], compounds="on")[0][2] == ["ein", "Spiel", "Haus"]
    assert learned(["das Hausspiel"], compounds="off")[0][2] == ["ein", "Spielhaus"]


def test_each_side_has_the_tokenizer_that_the_recipe_names() -> None:
    recipe = from_dict(
        {"tokenizer": {"kind": "characters"}, "target_tokenizer": {"kind": "moses"}},
        SmtRecipe,
        origin="test",
    )
    source = learn_side(["ab"], [], recipe, "source", "en", print)
    target = learn_side(["a b."], [], recipe, "target", "en", print)
    assert source.tokens == [["a", "b"]]
    assert target.tokens == [["a", "b", "."]]


def test_compounds_of_the_target_are_joined_again() -> None:
    recipe = SmtRecipe(target_compounds="on")
    side = learn_side(LINES, [], recipe, "target", "de", print)
    assert side.tokens[2] == ["ein", "Spiel@@", "Haus"]
    assert side.words.join(side.tokens[2]) == "ein Spielhaus"  # as most lines


def test_words_that_begin_alike_are_aligned_alike() -> None:
    words = [["laufen", "Laufende", "lauft", "UNK", "Laufs@@"]]
    vocabulary = learn_vocabulary(words)
    sentences = encode_sentences([*words, ["neu"]], vocabulary)
    moses = learn_moses(LINES, "de").words
    ids = aligned_alike(sentences, vocabulary, moses, 5).ids.tolist()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5
    assert ids[-1] == UNK
    assert len(set(aligned_alike(sentences, vocabulary, moses, 4).ids.tolist())) == 3


def test_the_share_of_unknown_words_is_counted_by_hand() -> None:
    side = learn_moses(LINES, "de")
    assert unknown_share(side, ["das Haus", "der Hund am Spiel"]) == 2 / 6
    assert unknown_share(side, []) == 0


def test_unusable_pairs_are_left_out_and_counted() -> None:
    news: list[str] = []
    config = PairsConfig(max_length=5, max_length_ratio=2)
    source = [["a"], [], ["a"] * 6, ["a"] * 5, ["a"] * 2]
    target = [["b"], ["b"], ["b"] * 6, ["b"] * 2, ["b"] * 4]
    assert usable_pairs(source, target, config, news.append) == [0, 4]
    assert news == ["2 training pairs; left out: 1 with an empty side, 1 too long, 1 too unequal"]


def test_text_without_a_usable_pair_is_refused() -> None:
    with pytest.raises(
        DataError, match="no pair of the training text can be used: 1 with an empty side"
    ):
        usable_pairs([[]], [["b"]], PairsConfig(), print)
