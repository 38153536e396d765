"""Pairs of lines as token ids, segmented anew each epoch where subwords are sampled."""

from collections.abc import Sequence
from typing import NamedTuple

from seqcli.errors import DataError
from seqcli.tokenizers.base import Tokenizer

SEEDS_AN_EPOCH = 2  # one for each side, so that equal lines of both sides are sampled apart


class Example(NamedTuple):
    """Token ids of one pair, without the marks of sentence start and end."""

    source: list[int]
    target: list[int]


class ParallelDataset:
    """Aligned lines and the tokenizers of both sides.

    Pairs with an empty side or with more than `max_length` tokens on a side are left out;
    `num_empty` and `num_long` count them. `sampling` is the `alpha` of `Tokenizer.sample_batch`;
    0 always takes the best segmentation, which `best_examples` holds in any case.

    Raises DataError if no pair is left.
    """

    def __init__(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        sampling: float = 0.0,
        max_length: int = 200,
    ) -> None:
        self._tokenizers = (source_tokenizer, target_tokenizer)
        self._sampling = sampling
        encoded = self._pairs(
            source_tokenizer.encode_batch(sources), target_tokenizer.encode_batch(targets)
        )
        kept = [
            index
            for index, (source, target) in enumerate(encoded)
            if 0 < len(source) <= max_length and 0 < len(target) <= max_length
        ]
        self.num_empty = sum(not source or not target for source, target in encoded)
        self.num_long = len(encoded) - len(kept) - self.num_empty
        if not kept:
            raise DataError(
                f"none of the {len(encoded)} training pairs can be used: {self.num_empty} have an "
                f"empty side, {self.num_long} have more than {max_length} tokens",
                why="a model cannot be trained on nothing",
                fix="Check the files, or raise data.max_length",
            )
        self._sources = [sources[index] for index in kept]
        self._targets = [targets[index] for index in kept]
        self.best_examples = [encoded[index] for index in kept]

    def __len__(self) -> int:
        return len(self.best_examples)

    def examples(self, *, seed: int, epoch: int) -> list[Example]:
        """Return all pairs in the order of the files, as segmented for this epoch."""
        if self._sampling == 0:
            return self.best_examples
        source_tokenizer, target_tokenizer = self._tokenizers
        first_seed = (seed * 100_003 + epoch) * SEEDS_AN_EPOCH + 1
        return self._pairs(
            source_tokenizer.sample_batch(self._sources, alpha=self._sampling, seed=first_seed),
            target_tokenizer.sample_batch(self._targets, alpha=self._sampling, seed=first_seed + 1),
        )

    @staticmethod
    def _pairs(sources: list[list[int]], targets: list[list[int]]) -> list[Example]:
        return [Example(*pair) for pair in zip(sources, targets, strict=True)]
