"""Label lines with a trained classifier or tagger."""

from typing import Any

import torch

from seqcli.config import require_positive
from seqcli.decoding.labelling import TextClassifier, TextTagger
from seqcli.inspection.loading import LoadedModel, load_for_task
from seqcli.tasks.classification import ClassificationTask
from seqcli.tasks.tagging import TaggingTask
from seqcli.training.memory import keep_freed_memory


def load_classifier(model: str, *, num_best: int = 1, threads: int | None = None) -> TextClassifier:
    """Load the classifier in a folder, or a shipped one by its name.

    It gives the `num_best` most probable labels of a line, or all if there are fewer. Raises
    ModelError, also for a model of another kind, and ConfigError.
    """
    require_positive("num_best", num_best)
    loaded = _load(model, "classification", threads)
    assert isinstance(loaded.task, ClassificationTask)
    return loaded.task.predictor(loaded.model, num_best=num_best)


def load_tagger(model: str, *, threads: int | None = None) -> TextTagger:
    """Load the tagger in a folder, or a shipped one by its name.

    Raises ModelError, also for a model of another kind.
    """
    loaded = _load(model, "tagging", threads)
    assert isinstance(loaded.task, TaggingTask)
    return loaded.task.predictor(loaded.model)


def _load(model: str, task: str, threads: int | None) -> LoadedModel[Any]:
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    return load_for_task(model, task)
