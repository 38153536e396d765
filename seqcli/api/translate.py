"""Translate lines as they arrive, with a trained model."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from seqcli.api.statistical import is_statistical, load_statistical
from seqcli.bundle import find_model, read_facts
from seqcli.config import require_one_of
from seqcli.errors import UsageError
from seqcli.text.lines import arriving, name_of, read_lines
from seqcli.translator import Translation, Translator

if TYPE_CHECKING:
    from seqcli.architectures.seq2seq import Seq2Seq
    from seqcli.decoding.neural_translator import DecodingConfig
    from seqcli.inspection.loading import LoadedModel

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
    precision: str | None = None,
    threads: int | None = None,
) -> Translator:
    """Load the model in a folder, or a shipped one by its name.

    What is None is taken from the model's own recipe. `precision` "int8", which it is by itself, is
    several times faster than "float32" (and is that where this machine cannot). Of a phrase-based
    system the beam is the size of its stacks. Raises ModelError, also where attention is asked of a
    model that has none, ConfigError, and UsageError for what has no effect on such a model.
    """
    if precision is not None:
        require_one_of("precision", precision, PRECISIONS)
    wanted = {
        "strategy": strategy or ("beam" if beam_width is not None else None),
        "beam_width": beam_width,
        "length_penalty": length_penalty,
        "batch_sentences": batch_sentences,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    architecture = read_facts(find_model(model)).architecture
    if not is_statistical(architecture):
        return _load_neural(
            model,
            given,
            num_best=num_best,
            with_attention=with_attention,
            precision=precision or PRECISIONS[0],
            threads=threads,
        )
    for name, value in {
        "greedy search": strategy,
        "a length penalty": length_penalty,
        "a batch size": batch_sentences,
        "attention": with_attention or None,
        "a precision": precision,
    }.items():
        if value is not None:
            raise UsageError(
                f"{name} has no effect on the model in {model}",
                why=f"its architecture is {architecture!r}, which computes no network",
                fix="Leave it out",
            )
    return load_statistical(model, beam_width=beam_width, num_best=num_best, threads=threads)


def _load_neural(
    model: str,
    decoding: dict[str, Any],
    *,
    num_best: int,
    with_attention: bool,
    precision: str,
    threads: int | None,
) -> Translator:
    """Load a network, with some settings of its decoding changed."""
    import torch

    from seqcli.decoding.neural_translator import NeuralTranslator
    from seqcli.decoding.quantize import int8_works
    from seqcli.decoding.step import Int8Stepper, ModelStepper
    from seqcli.inspection.loading import load_seq2seq, require_attention
    from seqcli.training.memory import keep_freed_memory

    keep_freed_memory()
    loaded = load_seq2seq(model)
    if with_attention:
        require_attention(loaded)
    if precision == "int8" and not int8_works():
        log.info("8-bit integers do not work on this machine: float32 is used, which is slower")
        precision = "float32"
    config = msgspec.structs.replace(loaded.recipe.decoding, **decoding)
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
    loaded: "LoadedModel[Seq2Seq]", config: "DecodingConfig", *, precision: str, threads: int
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
