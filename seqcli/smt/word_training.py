"""Learn how lines become words, and turn aligned text into sentences of ids."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from seqcli.errors import DataError
from seqcli.smt.compounds import GLUE, learn_compounds
from seqcli.smt.corpus import Sentences
from seqcli.smt.moses import Moses
from seqcli.smt.recipe import MOSES, PairsConfig, SmtRecipe, WordsConfig
from seqcli.smt.truecaser import learn_truecaser
from seqcli.smt.words import AnyWords, MosesWords, PieceWords
from seqcli.smt.words import Side as SideName
from seqcli.tokenizers import UNK, Vocabulary, train_tokenizer

LEAST_GAIN = 0.1  # of the share of unknown words, for compounds to be split

Lines = Sequence[str]
Tokens = list[list[str]]
Tell = Callable[[str], None]
W = TypeVar("W", bound=AnyWords)


class Side(NamedTuple, Generic[W]):
    """What is learned of one side of the text."""

    words: W
    tokens: Tokens  # of each line that was learned from


def learn_side(
    lines: Lines, dev: Lines, recipe: SmtRecipe, side: SideName, language: str, tell: Tell
) -> Side[MosesWords] | Side[PieceWords]:
    """Learn the words of a side; compounds are split where the recipe says so or it pays.

    Those of the target can be joined again.
    """
    is_target = side == "target"
    config = (recipe.target_tokenizer if is_target else None) or recipe.tokenizer
    if config.kind != MOSES:
        return _learn_pieces(lines, config)
    whole = learn_moses(lines, language)
    wish = recipe.target_compounds if is_target else recipe.compounds
    if wish == "off":
        return whole
    truecaser = whole.words.truecaser
    splitter = learn_compounds(whole.tokens, truecaser.usual, joins=is_target)
    split = Side(MosesWords(language, truecaser, splitter), list(map(splitter.split, whole.tokens)))
    if wish == "on":
        return split
    before, after = unknown_share(whole, dev), unknown_share(split, dev)
    pays = before - after >= LEAST_GAIN * before > 0
    tell(
        f"{side} compounds: {'split' if pays else 'not split'} (unknown words of the validation "
        f"text: {before:.2%} as they are, {after:.2%} if split)"
        if dev
        else f"{side} compounds: not split (no validation text tells whether that pays)"
    )
    return split if pays else whole


def unknown_share(side: Side[MosesWords], lines: Lines) -> float:
    """The share of the words of some lines that were not learned from."""
    known = {word for words in side.tokens for word in words}
    words = [word for line in lines for word in side.words.split(line)]
    return sum(word not in known for word in words) / max(1, len(words))


def learn_moses(lines: Lines, language: str) -> Side[MosesWords]:
    """Learn the usual casing of words that are cut by the rules of a language."""
    tokens = list(map(Moses(language).split, lines))
    words = MosesWords(language, learn_truecaser(tokens))
    return Side(words, list(map(words.refine, tokens)))


def _learn_pieces(lines: Lines, config: WordsConfig) -> Side[PieceWords]:
    words = PieceWords(train_tokenizer(lines, config))
    return Side(words, list(map(words.split, lines)))


def usable_pairs(source: Tokens, target: Tokens, config: PairsConfig, tell: Tell) -> list[int]:
    """The numbers of the pairs that can be learned from. DataError if there are none."""
    usable, faults = [], {"with an empty side": 0, "too long": 0, "too unequal": 0}
    for number, sizes in enumerate(zip(map(len, source), map(len, target), strict=True)):
        if not min(sizes):
            faults["with an empty side"] += 1
        elif max(sizes) > config.max_length:
            faults["too long"] += 1
        elif max(sizes) > config.max_length_ratio * min(sizes):
            faults["too unequal"] += 1
        else:
            usable.append(number)
    left_out = ", ".join(f"{count} {fault}" for fault, count in faults.items() if count)
    if not usable:
        raise DataError(
            "no pair of the training text can be used" + (f": {left_out}" if left_out else ""),
            fix="Check that the files are text and its translation, line by line",
        )
    tell(f"{len(usable)} training pairs" + (f"; left out: {left_out}" if left_out else ""))
    return usable


def aligned_alike(
    sentences: Sentences, vocabulary: Vocabulary, words: AnyWords, letters: int
) -> Sentences:
    """The sentences as an aligner sees them: words that begin alike are one, whatever their case.

    In little text most forms of a word are rare, and what they share tells more. Pieces of
    tokenizers that were learned stay as they are.
    """
    if not isinstance(words, MosesWords):
        return sentences
    stems = [
        word if id <= UNK else word.removesuffix(GLUE).lower()[:letters]
        for id, word in enumerate(vocabulary.pieces)
    ]
    first: dict[str, int] = {}
    ids = np.array([first.setdefault(stem, id) for id, stem in enumerate(stems)], np.int32)
    return sentences._replace(ids=ids[sentences.ids])
