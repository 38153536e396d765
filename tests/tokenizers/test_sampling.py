"""Samples follow the distributions of Kudo (2018) and Provilkov et al. (2020)."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import pytest

from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.tokenizers.sampling import LONGEST_WORD, BpeSampler, UnigramSampler, words_of

SCORES = {"a": -2.0, "b": -2.5, "c": -3.0, "ab": -2.2, "bc": -3.5, "abc": -5.0, "ca": -4.0}
RANKS = {"ab": 0.0, "bc": -1.0, "abc": -2.0, "ca": -3.0}
DRAWS = 20_000
TEXT = [f"{a}{b} {b}{c} {c}{a}" for a, b, c in itertools.permutations(["an", "ne", "ta", "l"], 3)]


def segmentations(word: str) -> Iterator[tuple[str, ...]]:
    """All ways to cut a word into pieces that have a score."""
    if not word:
        yield ()
    for end in range(1, len(word) + 1):
        if word[:end] in SCORES:
            yield from ((word[:end], *rest) for rest in segmentations(word[end:]))


def unigram_distribution(word: str, alpha: float) -> dict[tuple[str, ...], float]:
    weights = {
        pieces: math.exp(alpha * sum(SCORES[piece] for piece in pieces))
        for pieces in segmentations(word)
    }
    return {pieces: weight / sum(weights.values()) for pieces, weight in weights.items()}


def dropout_distribution(pieces: tuple[str, ...], alpha: float) -> Counter[tuple[str, ...]]:
    """Follow every outcome of every drop, by brute force over the sets of merges that are kept."""
    merges = [place for place in range(len(pieces) - 1) if "".join(pieces[place:][:2]) in RANKS]
    result: Counter[tuple[str, ...]] = Counter()
    for kept in itertools.product([False, True], repeat=len(merges)):
        chance = math.prod(1 - alpha if keep else alpha for keep in kept)
        places = [place for place, keep in zip(merges, kept, strict=True) if keep]
        if not places:
            result[pieces] += chance
            continue
        best = min(places, key=lambda place: (-RANKS["".join(pieces[place:][:2])], place))
        after = (*pieces[:best], pieces[best] + pieces[best + 1], *pieces[best + 2 :])
        for outcome, part in dropout_distribution(after, alpha).items():
            result[outcome] += chance * part
    return result


def assert_close(counts: Counter[tuple[str, ...]], expected: dict[tuple[str, ...], float]) -> None:
    assert set(counts) <= set(expected)
    for outcome, chance in expected.items():
        error = 5 * math.sqrt(chance * (1 - chance) / DRAWS) + 1e-9  # five standard deviations
        assert abs(counts[outcome] / DRAWS - chance) <= error, outcome


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
def test_unigram_samples_have_their_probability_to_the_power_of_alpha(alpha: float) -> None:
    sampler = UnigramSampler(SCORES, alpha=alpha, seed=3)
    counts = Counter(tuple(sampler.pieces("abcabc")) for _ in range(DRAWS))
    assert_close(counts, unigram_distribution("abcabc", alpha))


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_bpe_samples_are_those_of_dropping_merges(alpha: float) -> None:
    sampler = BpeSampler(RANKS, alpha=alpha, seed=3)
    counts = Counter(tuple(sampler.pieces("abcab")) for _ in range(DRAWS))
    assert_close(counts, dropout_distribution(tuple("abcab"), alpha))


def test_a_character_without_a_score_is_a_piece_of_its_own() -> None:
    assert UnigramSampler(SCORES, alpha=0.1, seed=1).pieces("xay")[::2] == ["x", "y"]
    assert BpeSampler(RANKS, alpha=0.0, seed=1).pieces("xaby") == ["x", "ab", "y"]


def test_nothing_but_the_best_segmentation_is_left_at_the_end_of_the_scale() -> None:
    lines = [*TEXT, "unbekannt ätsch 漢"]
    for kind, alpha in (("unigram", 1000.0), ("bpe", 0.0)):
        tokenizer = train_tokenizer(TEXT, TokenizerConfig(kind=kind))
        for seed in (1, 2):
            sampled = tokenizer.sample_batch(lines, alpha=alpha, seed=seed)
            assert sampled == tokenizer.encode_batch(lines)


def test_bpe_that_drops_all_merges_is_left_with_characters() -> None:
    tokenizer = train_tokenizer(TEXT, TokenizerConfig(kind="bpe"))
    (ids,) = tokenizer.sample_batch([TEXT[0]], alpha=1.0, seed=1)
    assert tokenizer.vocabulary.pieces_of(ids) == list(("\u2581" + TEXT[0]).replace(" ", "\u2581"))


def test_words_take_their_space_along_and_very_long_ones_are_cut() -> None:
    assert words_of(" ab  c ") == ["\u2581ab", "\u2581", "\u2581c", "\u2581"]
    long = words_of("x" * (2 * LONGEST_WORD + 1))
    assert [len(word) for word in long] == [LONGEST_WORD, LONGEST_WORD, 1]
