"""The text that a recipe names: lines to train on, to validate on, and to test on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from seqcli.data.corpora import Corpus, corpora_of
from seqcli.data.dataset import Text
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.stored_text import StoredText, store_text
from seqcli.errors import DataError
from seqcli.experiment import Recipe
from seqcli.tasks import Task
from seqcli.text.parallel import columns
from seqcli.training.report import Reporter

# Of the training lines, where no validation set is given
MOST_HELD_OUT = 1000
SHARE_HELD_OUT = 0.05


@dataclass(frozen=True, slots=True)
class TrainingText:
    """What a model learns from and what it is chosen by."""

    stored: StoredText
    validation: Text


def read_training_text(
    recipe: Recipe, task: type[Task[Any, Any]], prepared: PreparedFolder, reporter: Reporter
) -> TrainingText:
    """Store the text to train on, and read that to validate on.

    Some lines are held out where there is no validation set. Raises DataError, and OSError where
    the text cannot be stored.
    """
    data = recipe.data
    text = store_text(_corpora(recipe, data.train), prepared, weights=data.weights)
    for corpus, (start, stop, _) in zip(text.corpora, text.parts(), strict=True):
        task.check(text.lines(np.arange(start, stop)), corpus.side_names)
    if data.valid:
        return TrainingText(text, _read(_corpora(recipe, data.valid), task))
    size = len(text)
    if size == 1:
        raise DataError(
            f"{data.train[0]} has only one line",
            why="no validation set was given, and none can be taken out of one line",
            fix=f"Give --valid{'-text' if len(text.sides) == 1 else ''}, or more text",
        )
    count = max(1, min(MOST_HELD_OUT, int(SHARE_HELD_OUT * size)))
    reporter.message(
        f"no validation set was given: {count} random training {task.noun} are held out"
    )
    held_out = np.array(sorted(random.Random(recipe.seed).sample(range(size), count)))
    validation = tuple(list(lines) for lines in text.lines(held_out))
    return TrainingText(text.without(held_out), validation)


def read_test_text(recipe: Recipe, task: type[Task[Any, Any]]) -> Text | None:
    """Read the text that the result is scored on, if the recipe names any."""
    return _read(_corpora(recipe, recipe.data.test), task) if recipe.data.test else None


def _corpora(recipe: Recipe, files: Sequence[str]) -> list[Corpus]:
    corpora = corpora_of(files, len(recipe.data.files))
    assert corpora is not None  # a recipe is checked as it is made
    return corpora


def _read(corpora: Sequence[Corpus], task: type[Task[Any, Any]]) -> Text:
    texts = [columns(corpus.rows(), corpus.num_sides) for corpus in corpora]
    for corpus, text in zip(corpora, texts, strict=True):
        task.check(text, corpus.side_names)
    return tuple(list(chain.from_iterable(sides)) for sides in zip(*texts, strict=True))
