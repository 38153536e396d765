"""The training pairs: which are kept, how often they are seen, and how they are segmented."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from seqcli.data.dataset import Dataset, Example, Examples, ListedText
from seqcli.data.filters import CUT, Filters
from seqcli.errors import ConfigError, DataError
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import Tokenizer, TokenizerConfig, train_tokenizer

LINES = [
    "the old harbour town wakes slowly",
    "a fishing boat returns with the morning tide",
    "children are walking along the harbour wall",
    "the town children wave at the returning boat",
]

ALL = Filters(200)


@pytest.fixture(scope="module")
def characters() -> Tokenizer:
    return train_tokenizer(LINES, TokenizerConfig(kind="characters"))


@pytest.fixture(scope="module")
def subwords() -> Tokenizer:
    return train_tokenizer(LINES * 5, TokenizerConfig(kind="unigram", vocabulary_size=295))


class WeightedText(ListedText):
    """Lines of several corpora, each with a weight of its own."""

    def __init__(self, lines: list[str], parts: list[tuple[int, int, float]]) -> None:
        super().__init__((lines, lines))
        self._parts = parts

    def parts(self) -> Sequence[tuple[int, int, float]]:
        return self._parts


def dataset_of(
    text: ListedText, tokenizer: Tokenizer, *, filters: Filters = ALL, sampling: float = 0
) -> Dataset:
    encode = TranslationTask(TranslationRecipe(), {"shared": tokenizer}).encode
    examples = Examples.of(encode(text.lines(text.kept_rows()), alpha=0.0, seed=0))
    return Dataset(text, examples, encode, filters=filters, sampling=sampling)


def dataset(
    tokenizer: Tokenizer,
    sources: Sequence[str] = LINES,
    targets: Sequence[str] = LINES[::-1],
    *,
    sampling: float = 0.0,
    filters: Filters = ALL,
) -> Dataset:
    text = ListedText((list(sources), list(targets)))
    return dataset_of(text, tokenizer, filters=filters, sampling=sampling)


def best(pairs: Dataset) -> list[Example]:
    return pairs.take(np.arange(len(pairs)))


def sampled(pairs: Dataset, seed: int) -> list[Example]:
    return pairs.sample(np.arange(len(pairs)), seed=seed)


def test_pairs_are_encoded_in_the_order_of_the_files(characters: Tokenizer) -> None:
    pairs = dataset(characters)
    expected = [
        Example(characters.encode(source), characters.encode(target))
        for source, target in zip(LINES, LINES[::-1], strict=True)
    ]
    assert best(pairs) == expected
    assert len(pairs) == len(LINES)
    assert pairs.lengths.source.tolist() == [len(example.source) for example in expected]
    assert pairs.mean_lengths() == pytest.approx(
        [sum(len(pair[side]) + 1 for pair in expected) / len(expected) for side in (0, 1)]
    )


def test_empty_and_long_pairs_are_left_out(characters: Tokenizer) -> None:
    sources = ["the", "", "boat", "tides", "a", "", "wall"]
    targets = ["town", "wake", "", "wave", "with the", "", "tide"]
    pairs = dataset(characters, sources, targets, filters=Filters(4))
    decoded = [
        (characters.decode(source), characters.decode(target)) for source, target in best(pairs)
    ]
    assert decoded == [("the", "town"), ("wall", "tide")]
    assert pairs.losses.startswith("3 pairs with an empty side, 2 with more than 4 tokens")
    assert [pairs.place(index) for index in range(2)] == ["line 1", "line 7"]


@pytest.mark.parametrize("sampling", [0.0, 0.1])
def test_what_is_too_long_is_cut_if_asked_for(subwords: Tokenizer, sampling: float) -> None:
    whole = dataset(subwords, sampling=sampling)
    pairs = dataset(subwords, sampling=sampling, filters=Filters(5, too_long=CUT))
    assert len(pairs) == len(LINES)
    assert max(pairs.lengths.source) == max(pairs.lengths.target) == 5
    for all_of, some in ((best(whole), best(pairs)), (sampled(whole, 1), sampled(pairs, 1))):
        assert some == [Example(pair.source[:5], pair.target[:5]) for pair in all_of]


@pytest.mark.parametrize(("sources", "counts"), [(["", "harbour"], "1 pair .* 1 with"), ([], "0")])
def test_no_pair_left_is_refused_with_the_reasons(
    sources: list[str], counts: str, characters: Tokenizer
) -> None:
    with pytest.raises(DataError, match=rf"none of the {len(sources)} pairs.*{counts}"):
        dataset(characters, sources, sources, filters=Filters(3))


def test_sampling_differs_between_seeds_and_repeats_for_the_same(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, sampling=0.1)
    assert sampled(pairs, 1) != sampled(pairs, 2)
    assert sampled(pairs, 1) == sampled(dataset(subwords, sampling=0.1), 1)


def test_samples_are_of_the_kept_lines_and_spell_them(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, ["", *LINES], ["tide", *LINES[::-1]], sampling=0.1)
    for seed in range(3):
        examples = sampled(pairs, seed)
        assert [subwords.decode(example.source) for example in examples] == LINES
        assert [subwords.decode(example.target) for example in examples] == LINES[::-1]


def test_equal_lines_of_both_sides_are_sampled_apart(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, LINES, LINES, sampling=0.1)
    assert any(source != target for source, target in sampled(pairs, 1))


def test_the_growth_of_samples_is_that_of_their_mean_length(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, LINES * 100, LINES * 100, sampling=0.1)
    tokens = sum(len(pair.source) for pair in sampled(pairs, 9))
    assert pairs.growth[0] == pytest.approx(tokens / pairs.lengths.source.sum(), rel=0.05)
    assert pairs.growth[0] > 1.1


def weighted(characters: Tokenizer, *weights: float, size: int = 12) -> Dataset:
    """Corpora of `size` lines each; the second half of the lines of each is empty."""
    lines = [line for _ in weights for line in ["tide"] * size + [""] * size]
    parts = [
        (2 * size * number, 2 * size * (number + 1), weight)
        for number, weight in enumerate(weights)
    ]
    return dataset_of(WeightedText(lines, parts), characters)


@pytest.mark.parametrize("weights", [(1.0,), (2.0, 1.0), (0.5, 3.0), (0.25, 1.5), (1.0, 0.1)])
def test_in_every_epoch_a_corpus_is_seen_as_often_as_its_weight_says(
    characters: Tokenizer, weights: tuple[float, ...]
) -> None:
    pairs = weighted(characters, *weights)
    for epoch in range(5):
        corpus = pairs.of_epoch(seed=1, epoch=epoch) // 12
        for number, weight in enumerate(weights):
            assert abs(np.count_nonzero(corpus == number) - 12 * weight) < 1


@pytest.mark.parametrize(("weight", "epochs", "times"), [(0.25, 4, 1), (0.5, 4, 2), (1.5, 2, 3)])
def test_over_some_epochs_each_line_is_seen_equally_often(
    characters: Tokenizer, weight: float, epochs: int, times: int
) -> None:
    pairs = weighted(characters, 1.0, weight)
    seen = Counter(
        index for epoch in range(epochs) for index in pairs.of_epoch(seed=1, epoch=epoch).tolist()
    )
    assert seen == {**dict.fromkeys(range(12), epochs), **dict.fromkeys(range(12, 24), times)}


def test_which_part_of_a_corpus_an_epoch_sees_is_drawn_from_the_seed(characters: Tokenizer) -> None:
    pairs = weighted(characters, 0.5, size=40)
    first = sorted(pairs.of_epoch(seed=1, epoch=0))
    assert sorted(pairs.of_epoch(seed=1, epoch=0)) == first
    assert sorted(pairs.of_epoch(seed=2, epoch=0)) != first
    assert sorted(pairs.of_epoch(seed=1, epoch=2)) != first  # another round


def test_an_epoch_of_nothing_is_refused(characters: Tokenizer) -> None:
    with pytest.raises(ConfigError, match=r"data\.weights"):
        weighted(characters, 0.001).of_epoch(seed=1, epoch=0)


class HalfText(ListedText):
    """Lines of which only the odd rows may be used."""

    def kept_rows(self) -> np.ndarray:
        return super().kept_rows()[1::2]


def test_rows_that_are_held_out_are_never_seen(subwords: Tokenizer) -> None:
    lines = [*LINES, "", "tide", *LINES]
    pairs = dataset_of(HalfText((lines, lines)), subwords, sampling=0.1)
    kept = lines[1::2]
    assert [subwords.decode(example.source) for example in best(pairs)] == kept
    assert [subwords.decode(example.target) for example in sampled(pairs, 1)] == kept
    assert [pairs.place(index) for index in range(3)] == ["line 2", "line 4", "line 6"]
    assert sorted(pairs.of_epoch(seed=1, epoch=0)) == list(range(len(kept)))
