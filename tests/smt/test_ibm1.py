"""IBM Model 1 against what a hand, or a few lines of Python, can compute."""

import math
from collections import defaultdict

import numpy as np
import pytest

from seqcli.smt.corpus import Sentences
from seqcli.smt.ibm1 import Ibm1, align_by_ibm1, most_probable_links, train_ibm1
from seqcli.smt.links import NULL
from tests.smt.parallel_texts import BOOKS, encoded, pair_number, random_text


def probability(model: Ibm1, source: int, target: int) -> float:
    return float(model.probabilities[pair_number(model.cooccurrences, source, target)])


def test_the_first_iterations_are_those_of_the_book() -> None:
    """Koehn (2010), figure 4.4."""
    (german, source), (english, target) = map(encoded, BOOKS)
    book = {  # t(e|f) after each of the iterations
        ("the", "das"): (0.5, 0.6364, 0.7479),
        ("book", "das"): (0.25, 0.1818, 0.1208),
        ("house", "das"): (0.25, 0.1818, 0.1313),
        ("the", "Buch"): (0.25, 0.1818, 0.1208),
        ("book", "Buch"): (0.5, 0.6364, 0.7479),
        ("a", "Buch"): (0.25, 0.1818, 0.1313),
        ("book", "ein"): (0.5, 0.4286, 0.3466),
        ("a", "ein"): (0.5, 0.5714, 0.6534),
        ("the", "Haus"): (0.5, 0.4286, 0.3466),
        ("house", "Haus"): (0.5, 0.5714, 0.6534),
    }
    for number in range(3):
        model = train_ibm1(source, target, iterations=number + 1, with_null=False)
        for (e, f), values in book.items():
            assert probability(model, german.id(f), english.id(e)) == pytest.approx(
                values[number], abs=5e-5
            )


def test_two_sentences_by_hand() -> None:
    (german, source), (english, target) = (
        encoded(["das Haus", "das"]),
        encoded(["the house", "the"]),
    )
    model = train_ibm1(source, target, iterations=1, with_null=False)
    # from even chances: das gives half of "the" and of "house", and all of the second "the"
    assert probability(model, german.id("das"), english.id("the")) == pytest.approx(1.5 / 2)
    assert probability(model, german.id("Haus"), english.id("the")) == pytest.approx(0.5)
    before = 3 * math.log(1 / 2)
    after = math.log((3 / 4 + 1 / 2) / 2) + math.log((1 / 4 + 1 / 2) / 2) + math.log(3 / 4)
    assert model.log_likelihoods == pytest.approx([before, after])


def em_with_dictionaries(
    pairs: list[tuple[list[int], list[int]]], iterations: int
) -> tuple[dict[tuple[int, int], float], list[float]]:
    """The algorithm as the book has it, with a null word."""
    words = {f for _, made in pairs for f in made}
    chances: dict[tuple[int, int], float] = defaultdict(lambda: 1 / len(words))
    likelihoods = []
    for iteration in range(iterations + 1):
        counts: dict[tuple[int, int], float] = defaultdict(float)
        totals: dict[int, float] = defaultdict(float)
        likelihoods.append(0.0)
        for origins, made in pairs:
            for f in made:
                choices = [*origins, NULL]
                total = sum(chances[e, f] for e in choices)
                likelihoods[-1] += math.log(total / len(choices))
                for e in choices:
                    counts[e, f] += chances[e, f] / total
                    totals[e] += chances[e, f] / total
        if iteration < iterations:
            chances = {(e, f): count / totals[e] for (e, f), count in counts.items()}
    return chances, likelihoods


def as_lists(sentences: Sentences) -> list[list[int]]:
    return [part.tolist() for part in np.split(sentences.ids, sentences.starts[1:-1])]


def test_all_probabilities_likelihoods_and_links_are_those_of_plain_python() -> None:
    source, target, _ = random_text(np.random.default_rng(5), num_pairs=20, num_words=6)
    pairs = list(zip(as_lists(source), as_lists(target), strict=True))
    chances, likelihoods = em_with_dictionaries(pairs, 4)
    model = train_ibm1(source, target, iterations=4)
    assert model.log_likelihoods == pytest.approx(likelihoods)
    for (e, f), chance in chances.items():
        found = model.null_probabilities[f] if e == NULL else probability(model, e, f)
        assert found == pytest.approx(chance)
    best = [
        max([NULL, *range(len(origins))], key=lambda i: chances[origins[i] if i >= 0 else NULL, f])
        for origins, made in pairs
        for f in made
    ]
    assert most_probable_links(model, source, target).tolist() == best


def test_the_likelihood_rises_with_each_iteration() -> None:
    source, target, _ = random_text(np.random.default_rng(6))
    likelihoods = train_ibm1(source, target, iterations=12).log_likelihoods
    assert np.all(np.diff(likelihoods) > 0)


def test_both_directions_are_each_others_mirror() -> None:
    source, target, _ = random_text(np.random.default_rng(7))
    there = align_by_ibm1(source, target, seed=1, threads=1)
    back = align_by_ibm1(target, source, seed=2, threads=2)
    assert np.array_equal(there.to_source, back.to_target)
    assert np.array_equal(there.to_target, back.to_source)
