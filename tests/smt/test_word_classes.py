"""Classes of words against the text's probability, reckoned anew for each move that there is."""

import itertools

import numpy as np
import pytest

from seqcli.smt.arrays import Ids
from seqcli.smt.corpus import Sentences
from seqcli.smt.word_classes import BETWEEN, FIRST_CLASS, learn_classes
from seqcli.tokenizers.vocabulary import UNK

NOUNS, VERBS = range(10, 14), range(20, 24)


def sentences_of(lines: list[list[int]]) -> Sentences:
    flat = [word for line in lines for word in line]
    return Sentences(np.array(flat, np.int32), np.cumsum([0, *map(len, lines)]))


def random_lines(seed: int, count: int, words: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    first = UNK + 1
    return [
        random.integers(first, first + words, random.integers(1, 6)).tolist() for _ in range(count)
    ]


def log_likelihood(lines: list[list[int]], classes: Ids) -> float:
    """What depends on the classes in a maximum likelihood bigram model of them."""
    pairs, lefts, rights = dict[tuple[int, int], int](), dict[int, int](), dict[int, int]()
    for line in lines:
        bounded = [BETWEEN, *line, BETWEEN]
        for one, other in itertools.pairwise(classes[bounded].tolist()):
            pairs[one, other] = pairs.get((one, other), 0) + 1
            lefts[one] = lefts.get(one, 0) + 1
            rights[other] = rights.get(other, 0) + 1
    total = sum(count * np.log(count) for count in pairs.values())
    return float(total - sum(n * np.log(n) for side in (lefts, rights) for n in side.values()))


def test_words_with_the_same_neighbours_come_into_one_class() -> None:
    random = np.random.default_rng(1)
    lines = [
        [int(random.choice(NOUNS)), int(random.choice(VERBS)), int(random.choice(NOUNS))]
        for _ in range(200)
    ]
    classes = learn_classes(sentences_of(lines), 30, 2)
    assert len(set(classes[list(NOUNS)])) == len(set(classes[list(VERBS)])) == 1
    assert classes[NOUNS[0]] != classes[VERBS[0]]


@pytest.mark.parametrize("seed", range(4))
def test_no_move_of_one_word_makes_the_text_more_probable(seed: int) -> None:
    lines = random_lines(seed, 30, 8)
    sentences, num_classes = sentences_of(lines), 3
    classes = learn_classes(sentences, UNK + 9, num_classes)
    reached = log_likelihood(lines, classes)
    for word, new in itertools.product(
        set(sentences.ids.tolist()), range(FIRST_CLASS, FIRST_CLASS + num_classes)
    ):
        moved = classes.copy()
        moved[word] = new
        assert log_likelihood(lines, moved) <= reached + 1e-6


def test_special_pieces_are_themselves_and_unseen_words_are_unknown() -> None:
    lines = [[UNK + 1, UNK, UNK + 2], [], [UNK + 1]]
    classes = learn_classes(sentences_of(lines), UNK + 5, 2)
    assert classes[: UNK + 1].tolist() == list(range(UNK + 1))
    assert classes[UNK + 3 :].tolist() == [UNK, UNK]
    assert set(classes[UNK + 1 : UNK + 3].tolist()) <= {FIRST_CLASS, FIRST_CLASS + 1}


def test_more_classes_than_words_are_no_fault() -> None:
    lines = random_lines(9, 10, 3)
    classes = learn_classes(sentences_of(lines), UNK + 4, 50)
    assert (classes[UNK + 1 :] >= FIRST_CLASS).all()
