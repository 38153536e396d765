"""The training pairs: which are kept, and how they are segmented from epoch to epoch."""

from collections.abc import Sequence

import pytest

from seqcli.data.dataset import Dataset, Example
from seqcli.errors import DataError
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import Tokenizer, TokenizerConfig, train_tokenizer

LINES = [
    "the old harbour town wakes slowly",
    "a fishing boat returns with the morning tide",
    "children are walking along the harbour wall",
    "the town children wave at the returning boat",
]


@pytest.fixture(scope="module")
def characters() -> Tokenizer:
    return train_tokenizer(LINES, TokenizerConfig(kind="characters"))


@pytest.fixture(scope="module")
def subwords() -> Tokenizer:
    return train_tokenizer(LINES * 5, TokenizerConfig(kind="unigram", vocabulary_size=295))


def dataset(
    tokenizer: Tokenizer,
    sources: Sequence[str] = LINES,
    targets: Sequence[str] = LINES[::-1],
    *,
    sampling: float = 0.0,
    max_length: int = 200,
) -> Dataset:
    encode = TranslationTask(TranslationRecipe(), {"shared": tokenizer}).encode
    text = (list(sources), list(targets))
    return Dataset(text, encode, sampling=sampling, max_length=max_length)


def test_pairs_are_encoded_in_the_order_of_the_files(characters: Tokenizer) -> None:
    pairs = dataset(characters)
    expected = [
        Example(characters.encode(source), characters.encode(target))
        for source, target in zip(LINES, LINES[::-1], strict=True)
    ]
    assert pairs.examples(seed=1, epoch=0) == expected
    assert len(pairs) == len(LINES)


def test_each_side_has_its_own_tokenizer(characters: Tokenizer, subwords: Tokenizer) -> None:
    tokenizers = {"source": characters, "target": subwords}
    pairs = Dataset((LINES, LINES), TranslationTask(TranslationRecipe(), tokenizers).encode)
    for line, example in zip(LINES, pairs.examples(seed=1, epoch=0), strict=True):
        assert example == (characters.encode(line), subwords.encode(line))


def test_empty_and_long_pairs_are_left_out_and_counted(characters: Tokenizer) -> None:
    sources = ["the", "", "boat", "tides", "a", "", "wall"]
    targets = ["town", "wake", "", "wave", "with the", "", "tide"]
    pairs = dataset(characters, sources, targets, max_length=4)
    decoded = [
        (characters.decode(source), characters.decode(target))
        for source, target in pairs.examples(seed=1, epoch=0)
    ]
    assert decoded == [("the", "town"), ("wall", "tide")]
    assert (pairs.num_empty, pairs.num_long) == (3, 2)


@pytest.mark.parametrize(("sources", "counts"), [(["", "harbour"], "1 have .* 1 have"), ([], "0")])
def test_no_pair_left_is_refused_with_the_reasons(
    sources: list[str], counts: str, characters: Tokenizer
) -> None:
    with pytest.raises(DataError, match=rf"none of the {len(sources)} pairs.*{counts}"):
        dataset(characters, sources, sources, max_length=3)


def test_sampling_differs_between_epochs_and_seeds_and_repeats_for_the_same(
    subwords: Tokenizer,
) -> None:
    pairs = dataset(subwords, sampling=0.1)
    first = pairs.examples(seed=1, epoch=0)
    assert pairs.examples(seed=1, epoch=1) != first
    assert pairs.examples(seed=2, epoch=0) != first
    assert pairs.examples(seed=1, epoch=0) == first
    assert dataset(subwords, sampling=0.1).examples(seed=1, epoch=0) == first


def test_samples_are_of_the_kept_lines_and_spell_them(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, ["", *LINES], ["tide", *LINES[::-1]], sampling=0.1)
    for epoch in range(3):
        examples = pairs.examples(seed=1, epoch=epoch)
        assert [subwords.decode(example.source) for example in examples] == LINES
        assert [subwords.decode(example.target) for example in examples] == LINES[::-1]


def test_equal_lines_of_both_sides_are_sampled_apart(subwords: Tokenizer) -> None:
    pairs = dataset(subwords, LINES, LINES, sampling=0.1)
    assert any(source != target for source, target in pairs.examples(seed=1, epoch=0))


def test_without_sampling_every_epoch_is_the_best_segmentation(subwords: Tokenizer) -> None:
    pairs = dataset(subwords)
    assert pairs.examples(seed=1, epoch=0) == pairs.examples(seed=2, epoch=5)
    assert [e.source for e in pairs.examples(seed=1, epoch=0)] == subwords.encode_batch(LINES)
