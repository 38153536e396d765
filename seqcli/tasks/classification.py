"""Classification: one label for a text."""

from collections.abc import Sequence
from typing import ClassVar

from seqcli.architectures.classifier import Classifier, build_classifier
from seqcli.data.dataset import Example, Text
from seqcli.decoding.labelling import TextClassifier
from seqcli.errors import DataError
from seqcli.experiment import ClassificationRecipe
from seqcli.tasks.labelling import LabellingTask
from seqcli.text.lines import name_of


class ClassificationTask(LabellingTask[ClassificationRecipe, Classifier]):
    """A text on a line of one file, its label on that of the other."""

    noun: ClassVar[str] = "texts"
    unit: ClassVar[str] = "label"
    command: ClassVar[str] = "classify"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro-f1")
    per_token: ClassVar[bool] = False

    @classmethod
    def check(cls, text: Text, files: Sequence[str]) -> None:
        for number, (line, label) in enumerate(zip(*text, strict=True), start=1):
            if line.strip() and not label.strip():
                raise DataError(
                    f"{name_of(files[1])}, line {number}: there is no label",
                    why=f"line {number} of {name_of(files[0])} has a text, and each text needs one",
                    fix="Write its label there, or remove the line from both files",
                )

    @staticmethod
    def split_labels(line: str) -> list[str]:
        return [label] if (label := line.strip()) else []

    def build_model(self) -> Classifier:
        return build_classifier(
            self.recipe.model,
            vocabulary_size=len(self.source_tokenizer.vocabulary),
            num_labels=len(self.labels.labels),
        )

    def encode(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        texts, lines = text
        if alpha == 0:
            sources = self.source_tokenizer.encode_batch(texts)
        else:
            sources = self.source_tokenizer.sample_batch(texts, alpha=alpha, seed=seed)
        targets = self.label_ids(map(self.split_labels, lines))
        return [Example(*pair) for pair in zip(sources, targets, strict=True)]

    def predictor(self, model: Classifier, *, num_best: int = 1) -> TextClassifier:
        """The most probable labels of each line."""
        return TextClassifier(
            model, source_tokenizer=self.source_tokenizer, labels=self.labels, num_best=num_best
        )
