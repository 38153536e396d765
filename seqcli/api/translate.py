"""Translate lines as they arrive, with a trained model."""

import logging
from collections.abc import Iterator

import msgspec
import torch

from seqcli.bundle import FACTS, Bundle, find_model, read_bundle
from seqcli.config import from_dict, require_one_of
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.quantize import int8_works
from seqcli.decoding.step import Int8Stepper, ModelStepper, Stepper
from seqcli.errors import ConfigError, ModelError
from seqcli.experiment import Recipe
from seqcli.tasks.translation import build_model
from seqcli.text.lines import arriving, name_of, read_lines
from seqcli.training.memory import keep_freed_memory
from seqcli.translator import Translation, Translator

PRECISIONS = ("int8", "float32")
MOST_LINES = 1024  # translated together, so that sentences of similar length share a batch

log = logging.getLogger(__name__)


def translate_lines(translator: Translator, path: str) -> Iterator[Translation]:
    """Translate a file, or standard input for "-"; give each translation as soon as it is there.

    Lines are taken in groups of what has arrived, so that a slow writer gets an answer to each
    line and a fast one is served in full batches. Raises DataError for unusable text.
    """
    number = 0
    for group in arriving(read_lines(path), MOST_LINES):
        for translation in translator.translate(group):
            number += 1
            for fault in _faults(translation):
                log.warning("%s, line %d: %s", name_of(path), number, fault)
            yield translation


def load_translator(
    model: str,
    *,
    strategy: str | None = None,
    beam_width: int | None = None,
    length_penalty: float | None = None,
    batch_sentences: int | None = None,
    num_best: int = 1,
    with_attention: bool = False,
    precision: str = "int8",
    threads: int | None = None,
) -> NeuralTranslator:
    """Load the model in a folder, or a shipped one by its name.

    What is None is taken from the model's own recipe. `precision` "int8" is several times faster
    than "float32" (and is that where this machine cannot). Raises ModelError and ConfigError.
    """
    require_one_of("precision", precision, PRECISIONS)
    keep_freed_memory()
    bundle = read_bundle(find_model(model))
    recipe = _recipe_of(bundle)
    if precision == "int8" and not int8_works():
        log.info("8-bit integers do not work on this machine: float32 is used, which is slower")
        precision = "float32"
    wanted = {
        "strategy": strategy or ("beam" if beam_width is not None else None),
        "beam_width": beam_width,
        "length_penalty": length_penalty,
        "batch_sentences": batch_sentences,
    }
    config = msgspec.structs.replace(
        recipe.decoding, **{name: value for name, value in wanted.items() if value is not None}
    )
    num_workers = threads or torch.get_num_threads()
    _describe(bundle, config, precision=precision, threads=num_workers)
    return NeuralTranslator(
        _build_stepper(bundle, recipe, int8=precision == "int8"),
        config,
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
        num_best=num_best,
        with_attention=with_attention,
        num_workers=num_workers,
    )


def _faults(translation: Translation) -> Iterator[str]:
    """What makes a translation worse than the model could do."""
    if translation.num_parts > 1:
        yield (
            f"{len(translation.source_tokens)} tokens are too many at once; "
            f"translated in {translation.num_parts} parts"
        )
    if not (best := translation.hypotheses[0]).is_complete:
        yield (
            f"the output did not end and is cut off after {len(best.tokens)} tokens "
            "(decoding.max_length_ratio)"
        )


def _describe(bundle: Bundle, config: DecodingConfig, *, precision: str, threads: int) -> None:
    """Log what will translate, and how."""
    facts = bundle.facts
    log.debug(
        "model: %s (%s, %s, format %d), %s parameters",
        bundle.folder,
        facts.task,
        facts.architecture,
        facts.format,
        f"{facts.parameters:,}",
    )
    log.debug("made with: %s", ", ".join(" ".join(item) for item in facts.libraries.items()))
    log.debug(
        "decoding: %s", ", ".join(f"{k} {v}" for k, v in msgspec.structs.asdict(config).items())
    )
    log.debug("computing: %s, %d threads", precision, threads)


def _recipe_of(bundle: Bundle) -> Recipe:
    try:
        return from_dict(bundle.facts.recipe, Recipe, origin=str(bundle.folder / FACTS))
    except ConfigError as error:
        raise ModelError(
            f"the recipe of the model is not one of ours: {error.what}",
            why="it was changed by hand or is of another version of seqcli",
            fix="Copy the whole folder again, or train the model again",
        ) from error


def _build_stepper(bundle: Bundle, recipe: Recipe, *, int8: bool) -> Stepper:
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
    model.eval().requires_grad_(False)
    return Int8Stepper(model) if int8 else ModelStepper(model)
