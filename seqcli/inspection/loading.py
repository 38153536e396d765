"""A trained network, built from its folder and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.bundle import FACTS, Bundle, Facts, find_model, read_bundle, read_facts
from seqcli.errors import ConfigError, ModelError
from seqcli.experiment import RECIPES, Recipe, recipe_from
from seqcli.tasks import TASKS, Task
from seqcli.tokenizers import Tokenizer

M = TypeVar("M", bound=nn.Module)
PARTS = ("encoder", "decoder")  # of a network


@dataclass(frozen=True, slots=True)
class LoadedModel(Generic[M]):
    """A network in evaluation mode, float32, its weights frozen, and what belongs to it."""

    folder: Path
    facts: Facts
    task: Task[Any, M]
    model: M

    @property
    def recipe(self) -> Any:
        """The recipe, of the kind that the task has."""
        return self.task.recipe

    @property
    def source_tokenizer(self) -> Tokenizer:
        return self.task.tokenizers.get("source") or self.task.tokenizers["shared"]

    @property
    def target_tokenizer(self) -> Tokenizer:
        return self.task.tokenizers.get("target") or self.task.tokenizers["shared"]


def load_network(model: str) -> LoadedModel[Any]:
    """Load the model in a folder, or a shipped one by its name. Raises ModelError."""
    folder = find_model(model)
    facts = read_facts(folder)
    if facts.task not in TASKS or facts.architecture not in RECIPES:
        raise ModelError(
            f"the model in {folder} is no neural network: its architecture is "
            f"{facts.architecture!r}",
            why="a statistical model has no gates, gradients or attention to look into",
            fix="Give a model that `seqcli train` trained with a neural architecture",
        )
    bundle = read_bundle(folder)
    task = TASKS[facts.task](_recipe_of(bundle), bundle.tokenizers)
    return LoadedModel(folder, bundle.facts, task, _build(bundle, task))


def load_seq2seq(model: str) -> LoadedModel[Seq2Seq]:
    """Load a model that writes text from text. Raises ModelError, also for any other kind."""
    loaded = load_network(model)
    if not isinstance(loaded.model, Seq2Seq):
        raise ModelError(
            f"the model in {loaded.folder} is for {loaded.facts.task}, not for translation",
            why=f"its architecture is {loaded.facts.architecture!r}: it has no encoder and decoder",
            fix="Give a model whose architecture is 'seq2seq'",
        )
    return loaded


def require_attention(loaded: LoadedModel[Seq2Seq]) -> None:
    """Raise ModelError for a model whose decoder never looks at the source."""
    if not loaded.recipe.model.has_attention:
        raise ModelError(
            f"the model in {loaded.folder} has no attention to show",
            why="model.attention is 'none' in its recipe: one vector is all it keeps of a source",
            fix="Take a model that has attention, or train one with --set model.attention=general",
        )


def _recipe_of(bundle: Bundle) -> Recipe:
    try:
        return recipe_from(bundle.facts.recipe, origin=str(bundle.folder / FACTS))
    except ConfigError as error:
        raise ModelError(
            f"the recipe of the model is not one of ours: {error.what}",
            why="it was changed by hand or is of another version of seqcli",
            fix="Copy the whole folder again, or train the model again",
        ) from error


def _build(bundle: Bundle, task: Task[Any, M]) -> M:
    model = task.build_model()
    expected = {name: tensor.shape for name, tensor in model.named_parameters()}
    fit = {name: tensor.shape for name, tensor in bundle.weights.items()} == expected
    if not fit or not all(tensor.isfinite().all() for tensor in bundle.weights.values()):
        raise ModelError(
            f"the weights in {bundle.folder} "
            + ("hold values that are no numbers" if fit else "do not fit its recipe"),
            why="the files are damaged or of different models",
            fix="Copy the whole folder again, or train the model again",
        )
    model.load_state_dict(bundle.weights, strict=False)
    return model.eval().requires_grad_(False)
