"""Small parallel texts, and ways to look at what was learned from them."""

import numpy as np

from seqcli.smt.cooccurrences import Cooccurrences
from seqcli.smt.corpus import Sentences, encode_sentences, learn_vocabulary
from seqcli.tokenizers.vocabulary import Vocabulary

BOOKS = (["das Haus", "das Buch", "ein Buch"], ["the house", "the book", "a book"])


def encoded(lines: list[str]) -> tuple[Vocabulary, Sentences]:
    words = [line.split() for line in lines]
    vocabulary = learn_vocabulary(words)
    return vocabulary, encode_sentences(words, vocabulary)


def pair_number(cooccurrences: Cooccurrences, source: int, target: int) -> int:
    """The number of a pair of words that have met."""
    start, end = cooccurrences.pair_starts[source : source + 2]
    return int(start + np.flatnonzero(cooccurrences.pair_targets[start:end] == target)[0])


def random_text(
    random: np.random.Generator, num_pairs: int = 300, num_words: int = 30
) -> tuple[Sentences, Sentences, list[list[int]]]:
    """Sentences, their word by word translation in another order, and where each word came from."""
    sources, targets, origins = [], [], []
    for _ in range(num_pairs):
        source = random.integers(num_words, size=random.integers(1, 9))
        origin = list(range(len(source)))
        for i in range(0, len(source) - 1, 3):  # some neighbours change places
            origin[i], origin[i + 1] = origin[i + 1], origin[i]
        sources.append([f"s{word}" for word in source])
        targets.append([f"t{source[i]}" for i in origin])
        origins.append(origin)
    sides = [encode_sentences(words, learn_vocabulary(words)) for words in (sources, targets)]
    return sides[0], sides[1], origins
