"""Tagging: a tag for each word of a text."""

from collections.abc import Sequence
from itertools import chain
from typing import ClassVar

from seqcli.architectures.tagger import Tagger, build_tagger
from seqcli.data.dataset import Example, Text
from seqcli.data.stored_text import thinned
from seqcli.data.words import cut_words
from seqcli.decoding.labelling import TextTagger
from seqcli.errors import DataError
from seqcli.experiment import TaggingRecipe
from seqcli.tasks.labelling import LabellingTask
from seqcli.text.lines import name_of
from seqcli.text.words import split_words
from seqcli.tokenizers import Tokenizer
from seqcli.tokenizers.vocabulary import PAD


class TaggingTask(LabellingTask[TaggingRecipe, Tagger]):
    """Words with spaces between them on a line of one file, as many tags on that of the other.

    A word is cut into pieces by itself, and its tag is told at the last of them.
    """

    noun: ClassVar[str] = "sentences"
    unit: ClassVar[str] = "tag"
    command: ClassVar[str] = "tag"
    metrics: ClassVar[tuple[str, ...]] = ("token-accuracy", "span-f1")
    per_token: ClassVar[bool] = True

    @classmethod
    def check(cls, text: Text, files: Sequence[str]) -> None:
        for number, (line, tags) in enumerate(zip(*text, strict=True), start=1):
            num_words, num_tags = len(split_words(line)), len(split_words(tags))
            if num_words != num_tags:
                raise DataError(
                    f"line {number}: {name_of(files[0])} has {num_words} words but "
                    f"{name_of(files[1])} has {num_tags} tags",
                    why="each word, from one space to the next, needs one tag",
                    fix="Write as many tags as words, with spaces between them",
                )

    @classmethod
    def learn_tokenizers(
        cls, recipe: TaggingRecipe, text: Text, *, threads: int | None = None
    ) -> dict[str, Tokenizer]:
        """Learn pieces of words as they are cut: with one space before each."""
        lines = [" ".join(split_words(line)) for line in thinned(text[0])]
        return super().learn_tokenizers(recipe, (lines, text[1]), threads=threads)

    @staticmethod
    def split_labels(line: str) -> list[str]:
        return split_words(line)

    def test_metrics(self) -> tuple[str, ...]:
        """Return the metrics for a test set: that of spans if tags mark them or it is asked for."""
        chosen = self.recipe.evaluation.metric == "span-f1"
        spans = chosen or any(label.startswith(("B-", "I-")) for label in self.labels.labels)
        return tuple(name for name in super().test_metrics() if spans or name != "span-f1")

    def build_model(self) -> Tagger:
        return build_tagger(
            self.recipe.model,
            vocabulary_size=len(self.source_tokenizer.vocabulary),
            num_labels=len(self.labels.labels),
        )

    def encode(self, text: Text, *, alpha: float, seed: int) -> list[Example]:
        """The target has an entry for each token of the source: PAD but at the end of a word."""
        words = [split_words(line) for line in text[0]]
        cut = cut_words(self.source_tokenizer, words, alpha=alpha, seed=seed)
        tags = self.label_ids(map(self.split_labels, text[1]))
        return [
            Example(list(chain.from_iterable(pieces)), _at_the_ends(pieces, ids))
            for pieces, ids in zip(cut, tags, strict=True)
        ]

    def predictor(self, model: Tagger) -> TextTagger:
        """The most probable tag of each word."""
        return TextTagger(model, source_tokenizer=self.source_tokenizer, labels=self.labels)


def _at_the_ends(pieces: Sequence[Sequence[int]], tags: Sequence[int]) -> list[int]:
    """Put the tag of each word at the place of its last piece."""
    target: list[int] = []
    for word, tag in zip(pieces, tags, strict=True):
        target += [PAD] * (len(word) - 1) + [tag]
    return target
