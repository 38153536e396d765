"""Training: target tokens a second of the whole step, where its time goes, the peak of memory.

All sides get the same batches, bucketed by length, of a model of the same shape without dropout.
A step is: pad the batch, forward, loss, backward, clip, optimizer; ours goes through `Trainer`,
with its averaged weights and its reports. Between the sides, the matrix products of these batches
show what is the most that could be reached just then.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from seqcli.architectures.recurrent import EncoderConfig
from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import PairBatch, pair_batch
from seqcli.data.batching import PendingBatch, PendingExamples, token_batches
from seqcli.data.dataset import Example, Examples
from seqcli.data.epochs import Divide
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.memory import bound_kernel_caches, keep_freed_memory
from seqcli.training.precision import choose_precision
from seqcli.training.report import Progress, Validation, ValidationReport
from seqcli.training.trainer import Trainer
from tests.benchmarks.corpus import VOCABULARY_SIZE, training_examples
from tests.benchmarks.floor import large_products, operations, own_products, products
from tests.benchmarks.parts import DATA, OPTIMIZER, Stopwatch, shown, watch
from tests.benchmarks.plain_loop import plain_model, training_step
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

BATCH_TOKENS = 4096
ROUNDS, STEPS, WARM_UP_STEPS = 5, 8, 3

Groups = list[list[Example]]


class Case(NamedTuple):
    """A model, with what is aimed at."""

    name: str
    config: Seq2SeqConfig
    goal: float  # of our speed to the plain one
    float32_goal: float | None = None  # the same in float32 alone
    share_of_floor: float | None = None  # of our speed to that of large products
    most_megabytes: float | None = None


def model_config(*, layers: int = 1, input_feeding: bool = False) -> Seq2SeqConfig:
    return Seq2SeqConfig(
        encoder=EncoderConfig(layers=layers),
        input_feeding=input_feeding,
        dropout=0.0,
        word_dropout=0.0,
    )


CASES = (
    Case(
        "1 encoder layer",
        model_config(),
        goal=2.4,
        float32_goal=1.3,
        share_of_floor=0.62,
        most_megabytes=1200.0,
    ),
    Case("input feeding", model_config(input_feeding=True), goal=2.0),
    Case("2 encoder layers, as de-en", model_config(layers=2), goal=2.0),
)


def run(settings: Settings) -> list[Result]:
    """Compare each case."""
    examples = training_examples()
    return [result for case in CASES for result in _compare(case, examples, settings)]


def _compare(case: Case, examples: list[Example], settings: Settings) -> list[Result]:
    dtype = choose_precision("auto", torch.device("cpu"))
    goals = {str(dtype).removeprefix("torch."): case.goal}
    if case.float32_goal is not None:
        goals.setdefault("float32", case.float32_goal)
    measures: dict[str, Callable[[Groups], Round]] = {
        "plain": partial(plain_round, case.config),
        "large products": partial(large_products_round, case.config, dtype),
        "own products": partial(own_products_round, case.config, dtype),
    }
    for precision in goals:
        measures[f"seqcli {precision}"] = partial(our_round, case.config, precision)
    with processes(len(measures), settings.threads) as pools:

        def submit(place: int, measure: Callable[[Groups], Round], number: int) -> Round:
            groups = _groups_of_round(examples, number, quick=settings.quick)
            return pools[place].submit(measure, groups).result()

        rounds = interleave(
            {
                f"{case.name}, {name}": partial(submit, place, measure)
                for place, (name, measure) in enumerate(measures.items())
            },
            1 if settings.quick else ROUNDS,
        )
    return _results(case, goals, *rounds)


def _results(
    case: Case,
    goals: Mapping[str, float],
    plain: list[Round],
    large: list[Round],
    own: list[Round],
    best: list[Round],
    *others: list[Round],
) -> list[Result]:
    """Make the rows of a case; `goals` are by precision, in the order of our rounds."""
    what = f"training, {case.name}"
    compare = partial(compare_speed, show=lambda speed: f"{speed:,.0f} tok/s")
    print(f"  {what}, {shown([done.parts for done in best])}", flush=True)
    return [
        *(
            compare(f"{what}, {precision}", plain, rounds, goal=goal)
            for (precision, goal), rounds in zip(goals.items(), (best, *others), strict=True)
        ),
        compare(f"{what}: of the floor, at {large[0].note}", large, best, goal=case.share_of_floor),
        compare(f"{what}: of its products alone", own, best),
        compare_memory(what, plain, best, most=case.most_megabytes),
    ]


def _groups_of_round(examples: list[Example], number: int, *, quick: bool) -> Groups:
    """Return the batches of a round: other ones each round, the same for all sides."""
    steps = 2 if quick else STEPS if number else WARM_UP_STEPS
    batch_tokens = 400 if quick else BATCH_TOKENS
    lengths = Examples.of(examples).lengths
    batches = token_batches(lengths, batch_tokens=batch_tokens, seed=1, epoch=number)
    return [[examples[index] for index in batch] for batch in batches[:steps]]


def large_products_round(config: Seq2SeqConfig, dtype: torch.dtype, groups: Groups) -> Round:
    """Make as many operations as the products of these batches, in products of large matrices."""
    return large_products(_num_tokens(groups), operations(config, VOCABULARY_SIZE, groups), dtype)


def own_products_round(config: Seq2SeqConfig, dtype: torch.dtype, groups: Groups) -> Round:
    """Make the products of the first batch, and nothing else."""
    first = groups[:1]
    return own_products(
        _num_tokens(first), list(products(config, VOCABULARY_SIZE, first[0])), dtype
    )


def plain_round(config: Seq2SeqConfig, groups: Groups) -> Round:
    """Make an update from each batch, the plain way."""
    step = _plain_step(config)
    start = time.perf_counter()
    for group in groups:
        step(pair_batch(group))
    return finished(_num_tokens(groups), time.perf_counter() - start)


@functools.cache
def _plain_step(config: Seq2SeqConfig) -> Callable[[PairBatch], float]:
    torch.manual_seed(1)
    model = plain_model(config, VOCABULARY_SIZE).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return partial(training_step, model, optimizer, clip_norm=TrainingConfig().clip_norm)


def our_round(config: Seq2SeqConfig, precision: str, groups: Groups) -> Round:
    """Train an epoch of these batches; the clock runs from the first to the validation.

    The pass that finds out whether the longest fits into memory comes before the first.
    """
    model, stopwatch = _our_model(config)
    training = TrainingConfig(epochs=1, label_smoothing=0.0, precision=precision)

    def pad(number: int, group: Sequence[Example]) -> PairBatch:
        if number == 0:
            stopwatch.start()
        else:
            stopwatch.lap(OPTIMIZER)
        batch = pair_batch(group)
        stopwatch.lap(DATA)
        return batch

    def batches(epoch: int, *, shares: int, divide: Divide) -> Sequence[PendingBatch]:
        return [
            PendingExamples(Examples.of(group), np.arange(len(group)), partial(pad, number))
            for number, group in enumerate(groups)
        ]

    def validate() -> Validation:
        stopwatch.lap(OPTIMIZER)
        return Validation("nothing", 0.0, "")

    with TemporaryDirectory() as folder:
        Trainer(
            model,
            training,
            batches=batches,
            loss=partial(TranslationTask(TranslationRecipe(), {}).loss, model, smoothing=0.0),
            validate=validate,
            publish=lambda report: None,
            higher_is_better=True,
            checkpoints=CheckpointFolder(Path(folder)),
            reporter=_Silence(),
            seed=1,
        ).train()
    return finished(
        _num_tokens(groups),
        sum(stopwatch.seconds.values()),
        parts={part: seconds / len(groups) for part, seconds in stopwatch.seconds.items()},
    )


@functools.cache
def _our_model(config: Seq2SeqConfig) -> tuple[Seq2Seq, Stopwatch]:
    keep_freed_memory()
    bound_kernel_caches()
    torch.manual_seed(1)
    model = build_seq2seq(
        config,
        source_vocabulary_size=VOCABULARY_SIZE,
        target_vocabulary_size=VOCABULARY_SIZE,
    )
    stopwatch = Stopwatch()
    watch(model, stopwatch)
    return model, stopwatch


def _num_tokens(groups: Groups) -> int:
    return sum(len(example.target) + 1 for group in groups for example in group)


class _Silence:
    """A reporter that says nothing."""

    def message(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def validated(self, report: ValidationReport) -> None: ...
