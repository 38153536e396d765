"""What a training needs to know of its task: text, examples, model, loss and scores."""

from typing import Any

from seqcli.tasks.base import Task
from seqcli.tasks.classification import ClassificationTask
from seqcli.tasks.language_modeling import LanguageModelingTask
from seqcli.tasks.tagging import TaggingTask
from seqcli.tasks.translation import TranslationTask

TASKS: dict[str, type[Task[Any, Any]]] = {
    "translation": TranslationTask,
    "classification": ClassificationTask,
    "tagging": TaggingTask,
    "language-modeling": LanguageModelingTask,
}

__all__ = ["TASKS", "Task"]
