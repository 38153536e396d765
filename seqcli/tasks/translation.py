"""Translation: text to text, by a Seq2Seq model."""

import math
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq, build_seq2seq
from seqcli.data.batch import PairBatch, at_places, pair_batch
from seqcli.data.dataset import Dataset, Example, Lengths, Text
from seqcli.data.stored_text import thinned
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.search import MAX_LENGTH_RATIO
from seqcli.decoding.step import ModelStepper
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.base import Task
from seqcli.tokenizers import Tokenizer, train_tokenizer

SHARE_WITHIN_LENGTH_RATIO = 0.999  # of the training pairs; the rest are likely to be misaligned


class TranslationTask(Task[TranslationRecipe, Seq2Seq]):
    """From the lines of one file to those of another."""

    roles: ClassVar[tuple[tuple[str, ...], ...]] = (("shared",), ("source", "target"))

    @classmethod
    def learn_tokenizers(
        cls, recipe: TranslationRecipe, text: Text, *, threads: int | None = None
    ) -> dict[str, Tokenizer]:
        """Learn one tokenizer from both sides, or one from each."""
        sources, targets = text
        if recipe.target_tokenizer is None:
            lines = [*thinned(sources), *thinned(targets)]
            return {"shared": train_tokenizer(lines, recipe.tokenizer, threads=threads)}
        return {
            "source": train_tokenizer(thinned(sources), recipe.tokenizer, threads=threads),
            "target": train_tokenizer(thinned(targets), recipe.target_tokenizer, threads=threads),
        }

    @property
    def source_tokenizer(self) -> Tokenizer:
        return self.tokenizers.get("source") or self.tokenizers["shared"]

    @property
    def target_tokenizer(self) -> Tokenizer:
        return self.tokenizers.get("target") or self.tokenizers["shared"]

    def build_model(self) -> Seq2Seq:
        return build_seq2seq(
            self.recipe.model,
            source_vocabulary_size=len(self.source_tokenizer.vocabulary),
            target_vocabulary_size=len(self.target_tokenizer.vocabulary),
        )

    def embeddings(self, model: Seq2Seq) -> dict[str, tuple[Tokenizer, nn.Embedding]]:
        return {
            "source": (self.source_tokenizer, model.source_embedding),
            "target": (self.target_tokenizer, model.target_embedding),
        }

    def encode(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        sides = []
        for place, tokenizer in enumerate((self.source_tokenizer, self.target_tokenizer)):
            if alpha == 0:
                sides.append(tokenizer.encode_batch(text[place]))
            else:  # equal lines of both sides are sampled apart
                own_seed = 2 * seed + place + 1
                sides.append(tokenizer.sample_batch(text[place], alpha=alpha, seed=own_seed))
        return [Example(*pair) for pair in zip(*sides, strict=True)]

    def fitted_recipe(self, dataset: Dataset) -> TranslationRecipe:
        """Return the recipe with room in decoding for outputs as long as those of the text."""
        decoding = self.recipe.decoding
        ratio = max(length_ratio(dataset.lengths), decoding.max_length_ratio)
        roomy = msgspec.structs.replace(decoding, max_length_ratio=ratio)
        return msgspec.structs.replace(self.recipe, decoding=roomy)

    def make_batch(self, examples: Sequence[Example]) -> PairBatch:
        return pair_batch(examples)

    def outputs(self, model: Seq2Seq, batch: PairBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Each target token is predicted from those before it."""
        features_BTE = model(batch.source_BS, batch.source_mask_BS, batch.target_input_BT)
        return (
            at_places(features_BTE, batch.places_N),
            model.output_weight,
            model.output_bias,
            at_places(batch.target_output_BT, batch.places_N),
        )

    def predictor(self, model: Seq2Seq) -> NeuralTranslator:
        """Greedy search with the model's own modules."""
        return NeuralTranslator(
            ModelStepper(model),
            DecodingConfig(
                strategy="greedy", max_length_ratio=self.recipe.decoding.max_length_ratio
            ),
            source_tokenizer=self.source_tokenizer,
            target_tokenizer=self.target_tokenizer,
        )


def length_ratio(lengths: Lengths) -> float:
    """Return the length ratio that a search needs to write outputs such as these targets.

    It is their 99.9th percentile, rounded up to tenths, but not less than the usual one.
    """
    tenths = 10 * lengths.target.astype(np.float64) / lengths.source
    last = math.ceil(SHARE_WITHIN_LENGTH_RATIO * len(tenths)) - 1
    return max(MAX_LENGTH_RATIO, math.ceil(float(np.partition(tenths, last)[last])) / 10)
