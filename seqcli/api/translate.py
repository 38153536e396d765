"""Translate lines as they arrive, with a trained model."""

import logging
from collections.abc import Iterator

import msgspec
import torch

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.config import require_one_of
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.quantize import int8_works
from seqcli.decoding.step import Int8Stepper, ModelStepper
from seqcli.inspection.loading import LoadedModel, load_seq2seq, require_attention
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
    than "float32" (and is that where this machine cannot). Raises ModelError, also where attention
    is asked of a model that has none, and ConfigError.
    """
    require_one_of("precision", precision, PRECISIONS)
    keep_freed_memory()
    loaded = load_seq2seq(model)
    if with_attention:
        require_attention(loaded)
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
        loaded.recipe.decoding,
        **{name: value for name, value in wanted.items() if value is not None},
    )
    num_workers = threads or torch.get_num_threads()
    _describe(loaded, config, precision=precision, threads=num_workers)
    return NeuralTranslator(
        (Int8Stepper if precision == "int8" else ModelStepper)(loaded.model),
        config,
        source_tokenizer=loaded.source_tokenizer,
        target_tokenizer=loaded.target_tokenizer,
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


def _describe(
    loaded: LoadedModel[Seq2Seq], config: DecodingConfig, *, precision: str, threads: int
) -> None:
    """Log what will translate, and how."""
    facts = loaded.facts
    log.debug(
        "model: %s (%s, %s, format %d), %s parameters",
        loaded.folder,
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
