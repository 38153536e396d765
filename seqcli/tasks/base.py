"""What a training needs to know of its task, and the passes over a validation set."""

import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from seqcli.data.batch import Batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Dataset, Example, Text
from seqcli.evaluation import METRICS
from seqcli.experiment import LOSS, Recipe
from seqcli.tokenizers import Tokenizer
from seqcli.training.report import Sample, Validation
from seqcli.translator import Translator

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=nn.Module)

MakeBatch = Callable[[], Any]  # the batch is of the kind that the task's own loss reads


class Task(ABC, Generic[R, M]):
    """A task as the recipe of one training has it, with the tokenizers of that training."""

    noun: ClassVar[str] = "pairs"  # what an example of it is called
    unit: ClassVar[str] = "target token"  # what its loss is counted in
    command: ClassVar[str] = "translate"  # what its models are used by
    metrics: ClassVar[tuple[str, ...]] = ("bleu", "chrf", "ter")  # that a test set is scored by
    roles: ClassVar[tuple[tuple[str, ...], ...]]  # of its tokenizers: in order, all ways there are

    def __init__(self, recipe: R, tokenizers: Mapping[str, Tokenizer]) -> None:
        self.recipe = recipe
        self.tokenizers = tokenizers

    @classmethod
    def check(cls, text: Text, files: Sequence[str]) -> None:
        """Raise DataError, with file and line, for text that is not of the form of this task."""

    @classmethod
    @abstractmethod
    def learn_tokenizers(cls, recipe: R, text: Text) -> dict[str, Tokenizer]:
        """Learn them from the training text; return them by role, as a bundle holds them."""

    @abstractmethod
    def build_model(self) -> M:
        """Build the untrained model."""

    @abstractmethod
    def embeddings(self, model: M) -> dict[str, tuple[Tokenizer, nn.Embedding]]:
        """The tables of vectors that can be pretrained, by side, each with its tokenizer."""

    @abstractmethod
    def encode(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        """Turn each line into an example; see `Encode`. Raises DataError for unusable lines."""

    @abstractmethod
    def make_batch(self, examples: Sequence[Example]) -> Batch:
        """Pad examples into the kind of batch that `loss` reads."""

    @abstractmethod
    def loss(self, model: M, batch: Any, *, smoothing: float) -> tuple[Tensor, Tensor]:
        """Return two sums over the targets of a batch, in nats.

        They are the label-smoothed loss, which carries the gradient, and the negative
        log-likelihood.
        """

    @abstractmethod
    def predictor(self, model: M) -> Translator:
        """A quick way from lines to what they stand for, to score a model while it is trained."""

    def test_metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics for a test set: the recipe's, if not a usual one."""
        metric = self.recipe.evaluation.metric
        return self.metrics if metric in (LOSS, *self.metrics) else (metric,)

    def fitted_recipe(self, dataset: Dataset) -> R:
        """Return the recipe with what depends on the text that is learned from."""
        return self.recipe

    def dataset(self, text: Text, *, sampled: bool) -> Dataset:
        """The examples of a text, cut into subwords at random if asked for. Raises DataError."""
        return Dataset(
            text,
            self.encode,
            sampling=self.recipe.data.subword_sampling if sampled else 0.0,
            max_length=self.recipe.data.max_length,
            noun=self.noun,
        )

    def batches(self, dataset: Dataset, epoch: int) -> list[MakeBatch]:
        """Return the batches of an epoch as functions, so that each is padded when it is wanted."""
        examples = dataset.examples(seed=self.recipe.seed, epoch=epoch)
        groups = token_batches(
            examples,
            batch_tokens=self.recipe.training.batch_tokens,
            seed=self.recipe.seed,
            epoch=epoch,
        )
        return [partial(self._gather, examples, indices) for indices in groups]

    def validation(self, model: M, text: Text) -> Callable[[], Validation]:
        """Return a pass over the validation set that scores the model by the recipe's metric."""
        if self.recipe.evaluation.metric == LOSS:
            return self._loss_validation(model, self.dataset(text, sampled=False))
        return self._scored_validation(model, *text)

    def _loss_validation(self, model: M, dataset: Dataset) -> Callable[[], Validation]:
        if dataset.num_empty or dataset.num_long:
            log.warning(
                "left out of the validation text: %d empty %s, %d with more than %d tokens "
                "(data.max_length)",
                dataset.num_empty,
                self.noun,
                dataset.num_long,
                self.recipe.data.max_length,
            )
        batches = self.batches(dataset, epoch=0)

        def validate() -> Validation:
            device = next(model.parameters()).device
            nats, count = 0.0, 0
            for make_batch in batches:
                batch = make_batch().to(device)
                nats += self.loss(model, batch, smoothing=0.0)[1].item()
                count += int(batch.num_targets)
            return Validation(LOSS, nats / count, f"nats a {self.unit}, teacher forcing")

        return validate

    def _scored_validation(
        self, model: M, sources: Sequence[str], references: Sequence[str]
    ) -> Callable[[], Validation]:
        """The sample is the first line, then the second, and so on from one pass to the next."""
        predictor, passes = self.predictor(model), itertools.count()
        metric = METRICS[self.recipe.evaluation.metric]()

        def validate() -> Validation:
            hypotheses = [prediction.text for prediction in predictor.translate(sources)]
            score = metric.compute(hypotheses, [references])
            shown = next(passes) % len(sources)
            sample = Sample(sources[shown], hypotheses[shown], references[shown])
            return Validation(score.name, score.value, score.signature, sample)

        return validate

    def _gather(self, examples: Sequence[Example], indices: Sequence[int]) -> Batch:
        return self.make_batch([examples[index] for index in indices])
