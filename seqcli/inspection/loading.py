"""A trained network, built from its folder and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from seqcli.architectures.anatomy import PlacedStack, anatomy_of
from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.bundle import FACTS, Bundle, Facts, find_model, read_bundle, read_facts
from seqcli.config import require_one_of
from seqcli.errors import ConfigError, ModelError
from seqcli.experiment import RECIPES, Recipe, recipe_from
from seqcli.tasks import TASKS, Task
from seqcli.tokenizers import Tokenizer

M = TypeVar("M", bound=nn.Module)
PARTS = ("encoder", "decoder")  # of networks; some have one of them only


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

    @property
    def stacks(self) -> dict[str, PlacedStack]:
        """The recurrent stack of each part that the network has."""
        return anatomy_of(self.model, self.recipe.model).stacks

    def choose_part(self, part: str | None, *, preferred: str) -> str:
        """Return a part, or if that is None the preferred one, or the only one that there is.

        Raises ConfigError for a part that the network does not have.
        """
        there = self.stacks
        if part is None:
            return preferred if preferred in there else next(iter(there))
        require_one_of("part", part, PARTS)
        if part not in there:
            raise ConfigError(
                f"the model in {self.folder} has no {part}",
                why=f"its architecture is {self.facts.architecture!r}, which is a network of "
                f"{' and '.join(there)} alone",
                fix=f"Look at its {' or '.join(there)}",
            )
        return part


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
    task = task_of(facts, folder, bundle.tokenizers)
    return LoadedModel(folder, bundle.facts, task, _build(bundle, task))


def load_seq2seq(model: str) -> LoadedModel[Seq2Seq]:
    """Load a model that writes text from text. Raises ModelError, also for any other kind."""
    return load_for_task(model, "translation")


def load_for_task(model: str, task: str) -> LoadedModel[Any]:
    """Load a model of one task. Raises ModelError, which for others names their command."""
    folder = find_model(model)
    facts = read_facts(folder)
    if facts.task in TASKS and facts.task != task:  # also of what is no network
        raise ModelError(
            f"the model in {folder} is for {facts.task}, not for {task}",
            why=f"its architecture is {facts.architecture!r}",
            fix=f"Use it with `seqcli {TASKS[facts.task].command}`, or give a model for {task}",
        )
    return load_network(model)


def load_attentive(model: str) -> LoadedModel[Seq2Seq]:
    """Load a model that has attention. Raises ModelError, also for one that has none."""
    loaded = load_network(model)
    require_attention(loaded)
    return loaded


def require_attention(loaded: LoadedModel[Any]) -> None:
    """Raise ModelError for a model of which nothing ever looks at a source."""
    if not isinstance(loaded.model, Seq2Seq):
        why = f"its architecture is {loaded.facts.architecture!r}: it has no decoder that looks at "
        why += "a source"
    elif not loaded.recipe.model.has_attention:
        why = "model.attention is 'none' in its recipe: one vector is all it keeps of a source"
    else:
        return
    raise ModelError(
        f"the model in {loaded.folder} has no attention to show",
        why=why,
        fix="Take a translation model that has attention, or train one with "
        "--set model.attention=general",
    )


def task_of(facts: Facts, folder: Path, tokenizers: Mapping[str, Tokenizer]) -> Task[Any, Any]:
    """Return the task of a model as it was trained. ModelError if its parts do not go together."""
    recipe, kind = _recipe_of(facts, folder), TASKS[facts.task]
    told = (recipe.task, recipe.architecture) == (facts.task, facts.architecture)
    if not told or tuple(sorted(tokenizers)) not in kind.roles:
        raise ModelError(
            f"the model in {folder} is said to be a {facts.architecture} for {facts.task}, but its "
            + ("tokenizers are of another kind" if told else "recipe is of another kind"),
            why="its files were changed by hand or are of different models",
            fix="Copy the whole folder again, or train the model again",
        )
    return kind(recipe, tokenizers)


def _recipe_of(facts: Facts, folder: Path) -> Recipe:
    try:
        return recipe_from(facts.recipe, origin=str(folder / FACTS))
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
