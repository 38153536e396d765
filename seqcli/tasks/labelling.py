"""What classification and tagging share: text on one side, labels on the other."""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from seqcli.architectures.text_reader import TextReader
from seqcli.data.batch import LabelledBatch, at_places, labelled_batch
from seqcli.data.dataset import Dataset, Example, Place, Text, place_by_number
from seqcli.data.stored_text import thinned
from seqcli.errors import DataError
from seqcli.tasks.base import R, Task
from seqcli.tokenizers import Tokenizer, train_tokenizer
from seqcli.tokenizers.labels import LabelTokenizer
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK
from seqcli.training.report import Validation

T = TypeVar("T", bound=TextReader)
MOST_SHOWN = 5  # labels in a warning

log = logging.getLogger(__name__)


class LabellingTask(Task[R, T], Generic[R, T]):
    """From the lines of a file to the labels in those of another."""

    roles: ClassVar[tuple[tuple[str, ...], ...]] = (("source", "target"),)
    per_token: ClassVar[bool]  # whether a label belongs to a token or to a whole text

    def __init__(self, recipe: R, tokenizers: Mapping[str, Tokenizer]) -> None:
        super().__init__(recipe, tokenizers)
        labels = tokenizers["target"]
        assert isinstance(labels, LabelTokenizer)
        self.source_tokenizer = tokenizers["source"]
        self.labels = labels

    @staticmethod
    @abstractmethod
    def split_labels(line: str) -> list[str]:
        """Return the labels in a line of the second file."""

    @classmethod
    def learn_tokenizers(
        cls, recipe: R, text: Text, *, threads: int | None = None
    ) -> dict[str, Tokenizer]:
        """Learn pieces from the text, and all labels that there are, however rare."""
        texts, lines = text
        return {
            "source": train_tokenizer(thinned(texts), recipe.tokenizer, threads=threads),
            "target": LabelTokenizer.learn(
                label for line in lines for label in cls.split_labels(line)
            ),
        }

    def embeddings(self, model: T) -> dict[str, tuple[Tokenizer, nn.Embedding]]:
        return {"source": (self.source_tokenizer, model.source_embedding)}

    def make_batch(self, examples: Sequence[Example]) -> LabelledBatch:
        return labelled_batch(examples, per_token=self.per_token)

    def outputs(self, model: T, batch: LabelledBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Each label is told from the whole text."""
        features = model(batch.source_BS, batch.source_mask_BS)
        return (
            at_places(features, batch.places_N) if self.per_token else features,
            model.output.weight,
            model.output.bias,
            at_places(batch.labels_BL, batch.places_N) - len(SPECIAL_PIECES),
        )

    def dataset(self, text: Text, place: Place = place_by_number) -> Dataset:
        for row, line in enumerate(text[1]):
            self._ids(self.split_labels(line), place(row))  # a fault is told with its place
        return super().dataset(text, place)

    def validation(
        self, model: T, text: Text, place: Place = place_by_number
    ) -> Callable[[], Validation]:
        """Return a pass over the validation set; warn of labels that can only be wrong in it."""
        lines = [self.split_labels(line) for line in text[1]]
        counts = Counter(label for line in lines for label in line)
        if unseen := sorted(counts.keys() - set(self.labels.labels)):
            shown = ", ".join(map(repr, unseen[:MOST_SHOWN]))
            log.warning(
                "%d labels of the validation text (%d times) are not in the training text, so no "
                "answer there can be right: %s",
                len(unseen),
                sum(counts[label] for label in unseen),
                shown + (" and others" if len(unseen) > MOST_SHOWN else ""),
            )
        return super().validation(model, text, place)

    def label_ids(self, lines: Iterable[Sequence[str]]) -> list[list[int]]:
        """Return the ids of the labels of each line. DataError for one that is not known."""
        return [self._ids(labels, place_by_number(row)) for row, labels in enumerate(lines)]

    def _ids(self, labels: Sequence[str], place: str) -> list[int]:
        ids = self.labels.ids_of(labels)
        if UNK in ids:
            raise DataError(
                f"{place}: the label {labels[ids.index(UNK)]!r} is not in the training text",
                why="a model gives probabilities to the labels that it has learned, no others",
                fix="Correct the label, or add such lines to the training text",
            )
        return ids
