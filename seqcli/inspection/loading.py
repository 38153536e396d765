"""A trained network, built from its folder and checked."""

from dataclasses import dataclass
from pathlib import Path

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.bundle import FACTS, Bundle, Facts, find_model, read_bundle, read_facts
from seqcli.config import from_dict
from seqcli.errors import ConfigError, ModelError
from seqcli.experiment import Recipe
from seqcli.tasks.translation import build_model
from seqcli.tokenizers import Tokenizer

NEURAL = ("seq2seq",)  # the architectures that are networks
PARTS = ("encoder", "decoder")  # of such a network


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in evaluation mode, float32, its weights frozen, and what belongs to it."""

    folder: Path
    facts: Facts
    recipe: Recipe
    model: Seq2Seq
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer


def load_seq2seq(model: str) -> LoadedModel:
    """Load the model in a folder, or a shipped one by its name. Raises ModelError."""
    folder = find_model(model)
    architecture = read_facts(folder).architecture
    if architecture not in NEURAL:
        raise ModelError(
            f"the model in {folder} is no neural network: its architecture is {architecture!r}",
            why="a statistical model has no gates, gradients or attention to look into",
            fix="Give a model that `seqcli train` trained with a neural architecture",
        )
    bundle = read_bundle(folder)
    recipe = _recipe_of(bundle)
    return LoadedModel(
        folder=folder,
        facts=bundle.facts,
        recipe=recipe,
        model=_build(bundle, recipe),
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
    )


def require_attention(loaded: LoadedModel) -> None:
    """Raise ModelError for a model whose decoder never looks at the source."""
    if not loaded.recipe.model.has_attention:
        raise ModelError(
            f"the model in {loaded.folder} has no attention to show",
            why="model.attention is 'none' in its recipe: one vector is all it keeps of a source",
            fix="Take a model that has attention, or train one with --set model.attention=general",
        )


def _recipe_of(bundle: Bundle) -> Recipe:
    try:
        return from_dict(bundle.facts.recipe, Recipe, origin=str(bundle.folder / FACTS))
    except ConfigError as error:
        raise ModelError(
            f"the recipe of the model is not one of ours: {error.what}",
            why="it was changed by hand or is of another version of seqcli",
            fix="Copy the whole folder again, or train the model again",
        ) from error


def _build(bundle: Bundle, recipe: Recipe) -> Seq2Seq:
    model = build_model(
        recipe.model,
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
    )
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
