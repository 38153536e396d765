"""Decoding: sentences a second in batches and one by one, and the peak of memory.

Lines go in and lines come out on both sides, tokenizer included, in batches sorted by length. The
plain loop searches greedily in float32; ours greedily and with a beam, with 8-bit weights.
"""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import torch

from seqcli.api.translate import load_translator
from seqcli.bundle import (
    FORMAT,
    Facts,
    find_model,
    read_bundle,
    save_tokenizers,
    vocabulary_fingerprint,
    write_model,
)
from seqcli.config import from_dict
from seqcli.decoding.neural_translator import NeuralTranslator
from seqcli.errors import ModelError
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import EOS, TokenizerConfig, train_tokenizer
from tests.benchmarks.corpus import VOCABULARY_SIZE, test_lines
from tests.benchmarks.plain_loop import PlainModel, PlainTranslator
from tests.benchmarks.rounds import (
    Result,
    Round,
    Settings,
    compare_memory,
    compare_speed,
    finished,
    interleave,
    processes,
)

GOAL = 2.0
BATCH_SENTENCES = 64
ROUNDS = 5
ONE_BY_ONE_LINES = 60
RANDOM_MODEL_LINES = 256  # its output is about four times as long
NEVER = -1e4  # a logit
RANDOM = "a random model"

Translate = Callable[[list[str], int], Round]  # of lines, in batches of so many sentences


def run(settings: Settings) -> list[Result]:
    """Compare with the shipped model, or with a random one where there is none."""
    lines = test_lines()
    try:
        find_model(settings.model)
    except ModelError:
        with TemporaryDirectory() as folder:
            write_random_model(Path(folder), lines)
            return _compare(folder, lines[:RANDOM_MODEL_LINES], settings, kind=RANDOM)
    return _compare(settings.model, lines, settings, kind=settings.model)


def write_random_model(folder: Path, lines: list[str]) -> None:
    """Write an untrained model of the default sizes and 8,000 entries for these lines.

    It never ends a sentence, so that every output is as long as a search allows.
    """
    fillers = [f"word{number}" for number in range(VOCABULARY_SIZE)]
    tokenizer = train_tokenizer(
        [*lines, " ".join(fillers)], TokenizerConfig(kind="words", vocabulary_size=VOCABULARY_SIZE)
    )
    recipe = TranslationRecipe()
    torch.manual_seed(1)
    model = TranslationTask(recipe, {"shared": tokenizer}).build_model()
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}
    weights["output_bias"][EOS] = NEVER
    save_tokenizers(folder, {"shared": tokenizer})
    facts = Facts(
        format=FORMAT,
        task=recipe.task,
        architecture=recipe.architecture,
        name="random",
        recipe=msgspec.to_builtins(recipe),
        tokenizers=["shared"],
        vocabulary=vocabulary_fingerprint({"shared": tokenizer}),
        parameters=sum(tensor.numel() for tensor in weights.values()),
    )
    write_model(folder, facts, weights)


def _compare(model: str, lines: list[str], settings: Settings, *, kind: str) -> list[Result]:
    """Compare in batches and one by one, in the same processes."""
    few_lines = lines[:: -(-len(lines) // ONE_BY_ONE_LINES)]
    if settings.quick:
        lines, few_lines = lines[:16], few_lines[:4]
    rounds = 1 if settings.quick else ROUNDS
    with processes(3, settings.threads) as (plain, greedy, beam):
        translate: dict[str, tuple[ProcessPoolExecutor, Translate]] = {
            "plain greedy": (plain, partial(plain_round, model)),
            "seqcli greedy": (greedy, partial(our_round, model, "greedy")),
            "seqcli beam 5": (beam, partial(our_round, model, "beam")),
        }
        in_batches, one_by_one = (
            interleave(
                {
                    f"{name}, {what}": partial(_round_in, *where, some_lines, batch_sentences)
                    for name, where in translate.items()
                },
                rounds,
            )
            for what, some_lines, batch_sentences in (
                (f"batches of {BATCH_SENTENCES}", lines, BATCH_SENTENCES),
                ("one by one", few_lines, 1),
            )
        )
    return [*_speeds(in_batches, one_by_one, kind), *_likeness(in_batches, kind)]


def _round_in(
    process: ProcessPoolExecutor,
    translate: Translate,
    lines: list[str],
    batch_sentences: int,
    number: int,
) -> Round:
    """Let the process translate the lines; every round is the same."""
    return process.submit(translate, lines, batch_sentences).result()


def _speeds(
    in_batches: list[list[Round]], one_by_one: list[list[Round]], kind: str
) -> list[Result]:
    results = []
    for place, (search, goal) in enumerate((("greedy", GOAL), ("beam 5", None)), start=1):
        results.append(
            compare_speed(
                f"decoding {kind}, {search}, batches of {BATCH_SENTENCES}",
                in_batches[0],
                in_batches[place],
                goal=goal,
                show=lambda speed: f"{speed:,.0f} sent/s",
            )
        )
        results.append(
            compare_speed(
                f"decoding {kind}, {search}, one by one",
                one_by_one[0],
                one_by_one[place],
                show=lambda speed: f"{1000 / speed:,.1f} ms/sent",
            )
        )
    return results


def _likeness(in_batches: list[list[Round]], kind: str) -> list[Result]:
    """Compare peaks of memory, and the greedy outputs line by line."""
    plain, greedy, beam = in_batches
    results = [
        compare_memory("decoding, greedy, batches", plain, greedy),
        compare_memory("decoding, beam 5, batches", plain, beam),
    ]
    if kind != RANDOM:  # rounding alone decides between equally unlikely words
        same = sum(map(str.__eq__, plain[0].output, greedy[0].output))
        share = same / len(plain[0].output)
        results.append(
            Result("decoding, greedy: lines equal to the plain loop's", "", f"{share:.1%}")
        )
    return results


def plain_round(model: str, lines: list[str], batch_sentences: int) -> Round:
    """Translate with the plain loop."""
    translator = _plain_translator(model)
    start = time.perf_counter()
    if batch_sentences == 1:
        texts = [translator.translate([line], batch_sentences=1)[0] for line in lines]
    else:
        texts = translator.translate(lines, batch_sentences=batch_sentences)
    return finished(len(lines), time.perf_counter() - start, output=tuple(texts))


@functools.cache
def _plain_translator(model: str) -> PlainTranslator:
    bundle = read_bundle(find_model(model))
    recipe = from_dict(bundle.facts.recipe, TranslationRecipe, origin=model)
    plain = PlainModel(recipe.model, len(bundle.target_tokenizer.vocabulary))
    plain.take_weights(bundle.weights)
    return PlainTranslator(
        plain,
        source_tokenizer=bundle.source_tokenizer,
        target_tokenizer=bundle.target_tokenizer,
    )


def our_round(model: str, strategy: str, lines: list[str], batch_sentences: int) -> Round:
    """Translate as `seqcli translate` does."""
    translator = _our_translator(model, strategy, batch_sentences)
    start = time.perf_counter()
    groups = [[line] for line in lines] if batch_sentences == 1 else [lines]
    texts = [translation.text for group in groups for translation in translator.translate(group)]
    return finished(len(lines), time.perf_counter() - start, output=tuple(texts))


@functools.cache
def _our_translator(model: str, strategy: str, batch_sentences: int) -> NeuralTranslator:
    return load_translator(model, strategy=strategy, beam_width=5, batch_sentences=batch_sentences)
