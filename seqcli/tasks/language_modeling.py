"""Language modeling: what comes next in a text, from all that came before."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from torch import Tensor, nn

from seqcli.architectures.language_model import LanguageModel, build_language_model
from seqcli.data.batch import TextBatch, at_places, text_batch
from seqcli.data.dataset import Example, Text
from seqcli.data.stored_text import thinned
from seqcli.decoding.language_model_generator import TextGenerator
from seqcli.experiment import LanguageModelRecipe
from seqcli.tasks.base import Task
from seqcli.tokenizers import Tokenizer, train_tokenizer


class LanguageModelingTask(Task[LanguageModelRecipe, LanguageModel]):
    """Each line of a text is a sentence of its own."""

    noun: ClassVar[str] = "lines"
    roles: ClassVar[tuple[tuple[str, ...], ...]] = (("shared",),)
    unit: ClassVar[str] = "token"
    command: ClassVar[str] = "score"  # `generate` is the other one

    @classmethod
    def learn_tokenizers(
        cls, recipe: LanguageModelRecipe, text: Text, *, threads: int | None = None
    ) -> dict[str, Tokenizer]:
        return {"shared": train_tokenizer(thinned(text[0]), recipe.tokenizer, threads=threads)}

    @property
    def tokenizer(self) -> Tokenizer:
        return self.tokenizers["shared"]

    def build_model(self) -> LanguageModel:
        return build_language_model(
            self.recipe.model, vocabulary_size=len(self.tokenizer.vocabulary)
        )

    def embeddings(self, model: LanguageModel) -> dict[str, tuple[Tokenizer, nn.Embedding]]:
        return {"source": (self.tokenizer, model.embedding)}

    def encode(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        """What is read is also what is predicted."""
        if alpha == 0:
            encoded = self.tokenizer.encode_batch(text[0])
        else:
            encoded = self.tokenizer.sample_batch(text[0], alpha=alpha, seed=seed)
        return [Example(ids, ids) for ids in encoded]

    def make_batch(self, examples: Sequence[Example]) -> TextBatch:
        return text_batch(examples)

    def outputs(
        self, model: LanguageModel, batch: TextBatch
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Each token, and the end of the sentence, is predicted from those before it."""
        features_BTE, _ = model(batch.input_BT)
        return (
            at_places(features_BTE, batch.places_N),
            model.output_weight,
            model.output_bias,
            at_places(batch.output_BT, batch.places_N),
        )

    def predictor(self, model: LanguageModel) -> TextGenerator:
        """Go on with lines greedily."""
        greedy = msgspec.structs.replace(self.recipe.decoding, top_k=1)
        return TextGenerator(model, greedy, tokenizer=self.tokenizer)
