"""Load a trained model as a translator."""

import msgspec

from seqcli.bundle import Bundle, find_model, read_bundle
from seqcli.config import from_dict
from seqcli.decoding.neural_translator import NeuralTranslator
from seqcli.decoding.step import ExactStepper
from seqcli.errors import ModelError
from seqcli.experiment import Recipe
from seqcli.tasks.translation import build_model


def load_translator(
    model: str,
    *,
    strategy: str | None = None,
    beam_width: int | None = None,
    length_penalty: float | None = None,
    batch_sentences: int | None = None,
    num_best: int = 1,
    with_attention: bool = False,
) -> NeuralTranslator:
    """Load the model in a folder, or a shipped one by its name.

    What is None is taken from the model's own recipe. Raises ModelError and ConfigError.
    """
    bundle = read_bundle(find_model(model))
    recipe = from_dict(bundle.facts.recipe, Recipe, origin=str(bundle.folder))
    wanted = {
        "strategy": strategy,
        "beam_width": beam_width,
        "length_penalty": length_penalty,
        "batch_sentences": batch_sentences,
    }
    config = msgspec.structs.replace(
        recipe.decoding, **{name: value for name, value in wanted.items() if value is not None}
    )
    return NeuralTranslator(
        _build_stepper(bundle, recipe),
        config,
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
        num_best=num_best,
        with_attention=with_attention,
    )


def _build_stepper(bundle: Bundle, recipe: Recipe) -> ExactStepper:
    model = build_model(
        recipe.model,
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
    )
    expected = {name: tensor.shape for name, tensor in model.named_parameters()}
    if {name: tensor.shape for name, tensor in bundle.weights.items()} != expected:
        raise ModelError(
            f"the weights in {bundle.folder} do not fit its recipe",
            why="the files are of different models",
            fix="Copy the whole folder again, or train the model again",
        )
    model.load_state_dict(bundle.weights, strict=False)
    return ExactStepper(model.eval())
