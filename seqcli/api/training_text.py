"""The text that a recipe names: lines to train on, to validate on, and to test on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from seqcli.api.training_folder import TextMarks, fingerprint
from seqcli.data.corpora import Corpus, corpora_of
from seqcli.data.dataset import Place, Text
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.stored_text import StoredText, store_text
from seqcli.errors import DataError, UsageError
from seqcli.experiment import Recipe
from seqcli.tasks import Task
from seqcli.text.lines import is_read_once, name_of
from seqcli.text.parallel import columns
from seqcli.text.wording import beside
from seqcli.training.report import Reporter

# Of the training lines, where no validation set is given
MOST_HELD_OUT = 1000
SHARE_HELD_OUT = 0.05
SEED_HELD_OUT = 1  # whatever that of the training: scores of several seeds are of the same lines


@dataclass(frozen=True, slots=True)
class TrainingText:
    """What a model learns from and what it is chosen by."""

    stored: StoredText
    validation: Text
    place: Place  # where a line of `validation` comes from

    def marks(self) -> TextMarks:
        """Return what tells later whether it is still the same text."""
        return TextMarks(
            fingerprint((self.stored.digest,), *self.validation),
            fingerprint((self.stored.digest,)),
            fingerprint(*self.validation),
        )


def require_files(recipe: Recipe) -> None:
    """Refuse text that comes out of a pipe, which only one of several processes could read."""
    data = recipe.data
    for name in (*data.train, *data.valid, *data.test):
        if is_read_once(name) or name.startswith("/dev/fd/"):  # torchrun has closed it here
            raise UsageError(
                f"{name_of(name)} is no file, and this is one of several processes",
                why="what comes out of a pipe can be read once, and each process reads the text",
                fix="Write it to a file first (one packed by gzip will do), or train with one "
                "process",
            )


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
        corpora = _corpora(recipe, data.valid)
        texts = _read(corpora, task)
        return TrainingText(text, _joined(texts), partial(_place, corpora, texts))
    size = len(text)
    if size == 1:
        raise DataError(
            f"{data.train[0]} has only one line",
            why="no validation set was given, and none can be taken out of one line",
            fix=f"Give --valid{'-text' if len(text.sides) == 1 else ''}, or more text",
        )
    count = max(1, min(MOST_HELD_OUT, int(SHARE_HELD_OUT * size)))
    reporter.message(
        f"no validation set was given: {count} random training {beside(count, task.noun)} "
        f"{'is' if count == 1 else 'are'} held out"
    )
    held_out = np.array(sorted(random.Random(SEED_HELD_OUT).sample(range(size), count)))
    validation = tuple(list(lines) for lines in text.lines(held_out))

    def place(row: int) -> str:
        return text.place(int(held_out[row]))

    return TrainingText(text.without(held_out), validation, place)


def read_test_text(recipe: Recipe, task: type[Task[Any, Any]]) -> Text | None:
    """Read the text that the result is scored on, if the recipe names any."""
    if not recipe.data.test:
        return None
    return _joined(_read(_corpora(recipe, recipe.data.test), task))


def _corpora(recipe: Recipe, files: Sequence[str]) -> list[Corpus]:
    corpora = corpora_of(files, len(recipe.data.files))
    assert corpora is not None  # a recipe is checked as it is made
    return corpora


def _read(corpora: Sequence[Corpus], task: type[Task[Any, Any]]) -> list[Text]:
    texts: list[Text] = [columns(corpus.rows(), corpus.num_sides) for corpus in corpora]
    for corpus, text in zip(corpora, texts, strict=True):
        task.check(text, corpus.side_names)
    return texts


def _joined(texts: Sequence[Text]) -> Text:
    return tuple(list(chain.from_iterable(sides)) for sides in zip(*texts, strict=True))


def _place(corpora: Sequence[Corpus], texts: Sequence[Text], row: int) -> str:
    """Where a row of the joined texts comes from."""
    for corpus, text in zip(corpora, texts, strict=True):
        if row < len(text[0]):
            return corpus.place(row)
        row -= len(text[0])
    raise IndexError
