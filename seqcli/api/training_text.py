"""The text that a recipe names: lines to train on, to validate on, and to test on."""

import random
from collections.abc import Sequence
from typing import Any

from seqcli.data.dataset import Text
from seqcli.errors import DataError
from seqcli.experiment import Recipe
from seqcli.tasks import Task
from seqcli.text.parallel import read_parallel
from seqcli.training.report import Reporter

# Of the training lines, where no validation set is given
MOST_HELD_OUT = 1000
SHARE_HELD_OUT = 0.05


def read_training_text(
    recipe: Recipe, task: type[Task[Any, Any]], reporter: Reporter
) -> tuple[Text, Text]:
    """Read text to train and to validate on; hold some out where there is no validation set."""
    text = _read(recipe.data.train, task)
    if recipe.data.valid:
        return text, _read(recipe.data.valid, task)
    size = len(text[0])
    if size == 1:
        raise DataError(
            f"{recipe.data.train[0]} has only one line",
            why="no validation set was given, and none can be taken out of one line",
            fix=f"Give --valid{'-text' if len(text) == 1 else ''}, or more text",
        )
    count = max(1, min(MOST_HELD_OUT, int(SHARE_HELD_OUT * size)))
    reporter.message(
        f"no validation set was given: {count} random training {task.noun} are held out"
    )
    held_out = sorted(random.Random(recipe.seed).sample(range(size), count))
    kept = sorted(set(range(size)).difference(held_out))
    return _select(text, kept), _select(text, held_out)


def read_test_text(recipe: Recipe, task: type[Task[Any, Any]]) -> Text | None:
    """Read the text that the result is scored on, if the recipe names any."""
    return _read(recipe.data.test, task) if recipe.data.test else None


def _read(files: Sequence[str], task: type[Task[Any, Any]]) -> Text:
    text = read_parallel(*files)
    task.check(text, files)
    return text


def _select(text: Text, indices: Sequence[int]) -> Text:
    return tuple([lines[index] for index in indices] for lines in text)
