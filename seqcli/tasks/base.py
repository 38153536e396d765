"""What a training needs to know of its task, and the passes over a validation set."""

import hashlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from seqcli.bundle import save_tokenizers
from seqcli.data.batch import Batch
from seqcli.data.batching import Budget, PendingBatch
from seqcli.data.dataset import (
    Dataset,
    Example,
    Examples,
    ListedText,
    Place,
    Text,
    place_by_number,
)
from seqcli.data.epochs import Divide, alone, epoch_batches
from seqcli.data.filters import Filters
from seqcli.data.preparation import prepare_examples
from seqcli.data.stored_text import StoredText
from seqcli.evaluation import METRICS
from seqcli.experiment import Recipe
from seqcli.nn.loss import consistent_cross_entropy, output_cross_entropy
from seqcli.tokenizers import Tokenizer
from seqcli.training.report import LOSS, Sample, Validation
from seqcli.translator import Translator

FORMAT = 1  # of the token ids that are kept in files; those of another are made anew

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=nn.Module)


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
    def learn_tokenizers(
        cls, recipe: R, text: Text, *, threads: int | None = None
    ) -> dict[str, Tokenizer]:
        """Learn them from the training text; return them by role, as a bundle holds them.

        `threads` is as for `train_tokenizer`.
        """

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
    def outputs(self, model: M, batch: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what the loss is made of.

        That is features_NE of all N targets of a batch, the weight_VE and bias_V of the layer that
        predicts from them, and targets_N.
        """

    def loss(
        self, model: M, batch: Any, *, smoothing: float, consistency: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return two sums over the targets of a batch, in nats.

        They are the label-smoothed loss, which carries the gradient, and the negative
        log-likelihood. With a `consistency` the model reads the batch twice.
        """
        features_NE, weight_VE, bias_V, targets_N = self.outputs(model, batch)
        if not consistency:
            return output_cross_entropy(
                features_NE, weight_VE, bias_V, targets_N, smoothing=smoothing
            )
        return consistent_cross_entropy(
            features_NE,
            self.outputs(model, batch)[0],
            weight_VE,
            bias_V,
            targets_N,
            smoothing=smoothing,
            consistency=consistency,
        )

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

    def dataset(self, text: Text, place: Place = place_by_number) -> Dataset:
        """The examples of a text that is held in memory, never sampled. Raises DataError."""
        return Dataset(
            ListedText(text, place),
            Examples.of(self.encode(text, alpha=0.0, seed=0)),
            self.encode,
            filters=Filters(max_length=self.recipe.data.max_length),
            noun=self.noun,
        )

    def training_dataset(self, text: StoredText, *, tell: Callable[[str], None]) -> Dataset:
        """The examples of a training text, kept in files beside it; `tell` hears how it goes on.

        Raises DataError, and OSError where the files cannot be written.
        """
        data = self.recipe.data
        examples = prepare_examples(
            text.kept_lines,
            self.encode,
            prepared=text.prepared,
            key=f"{FORMAT} {self.recipe.task} {text.key} {_fingerprint(self.tokenizers)}",
            num_ids=max(len(tokenizer.vocabulary) for tokenizer in self.tokenizers.values()),
            tell=tell,
        )
        filters = Filters(
            max_length=data.max_length,
            too_long=data.too_long,
            max_length_ratio=data.max_length_ratio,
            drop_duplicates=data.drop_duplicates,
        )
        return Dataset(
            text,
            examples,
            self.encode,
            filters=filters,
            sampling=data.subword_sampling,
            noun=self.noun,
        )

    def batches(
        self, dataset: Dataset, epoch: int, *, shares: int = 1, divide: Divide = alone
    ) -> Sequence[PendingBatch]:
        """Return the batches of an epoch; each is padded when it is wanted.

        Each is to be dealt out in so many `shares`, and the budget of the recipe is that of one.
        `divide` is as for `epoch_batches`.
        """
        training = self.recipe.training
        return epoch_batches(
            dataset,
            self.make_batch,
            budget=Budget(training.batch_tokens, training.batch_sentences) * shares,
            seed=self.recipe.seed,
            epoch=epoch,
            divide=divide,
        )

    def validation(
        self, model: M, text: Text, place: Place = place_by_number
    ) -> Callable[[], Validation]:
        """Return a pass over the validation set that scores the model by the recipe's metric.

        Raises DataError, with the `place` of a line, for text that cannot be used.
        """
        if self.recipe.evaluation.metric == LOSS:
            return self._loss_validation(model, self.dataset(text, place))
        return self._scored_validation(model, *text)

    def _loss_validation(self, model: M, dataset: Dataset) -> Callable[[], Validation]:
        if dataset.losses:
            log.warning("left out of the validation text: %s", dataset.losses)
        batches = self.batches(dataset, epoch=0)

        def validate() -> Validation:
            device = next(model.parameters()).device
            nats = torch.zeros((), dtype=torch.float64, device=device)  # read once, at the end
            count = 0
            for pending in batches:
                batch = pending.make().to(device)
                nats += self.loss(model, batch, smoothing=0.0)[1]
                count += batch.num_targets
            return Validation(LOSS, nats.item() / count, f"nats a {self.unit}, teacher forcing")

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


def _fingerprint(tokenizers: Mapping[str, Tokenizer]) -> str:
    """One hash over all that is saved of them, such as the kind and the scores of the pieces."""
    digest = hashlib.sha256()
    with TemporaryDirectory() as folder:
        save_tokenizers(Path(folder), tokenizers)
        for path in sorted(Path(folder).iterdir()):
            digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()
