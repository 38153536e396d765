"""What a training needs to know of its task: text, examples, model, loss and scores."""

from typing import Any

from seqcli.tasks.base import Task
from seqcli.tasks.translation import TranslationTask

TASKS: dict[str, type[Task[Any, Any]]] = {
    "translation": TranslationTask,
}

__all__ = ["TASKS", "Task"]
