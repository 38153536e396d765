"""Training: target tokens a second of the whole step, and the peak of memory.

Both sides get the same batches, bucketed by length, of a model of the same shape without dropout.
A step is: pad the batch, forward, loss, backward, clip, optimizer; ours goes through `Trainer`,
with its averaged weights and its reports.
"""

import functools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from seqcli.architectures.recurrent import EncoderConfig
from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import PairBatch, pair_batch
from seqcli.data.batching import PendingBatch, PendingExamples, token_batches
from seqcli.data.dataset import Example, Examples
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.memory import bound_kernel_cache, keep_freed_memory
from seqcli.training.precision import choose_precision
from seqcli.training.report import Progress, Validation, ValidationReport
from seqcli.training.trainer import Trainer
from tests.benchmarks.corpus import VOCABULARY_SIZE, training_examples
from tests.benchmarks.plain_loop import PlainModel, training_step
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
BATCH_TOKENS = 4000
ROUNDS, STEPS, WARM_UP_STEPS = 5, 8, 3
ENCODER_LAYERS = (1, 2)  # models/de-en has 2
CONFIG = TrainingConfig(epochs=1, label_smoothing=0.0)

Groups = list[list[Example]]


def run(settings: Settings) -> list[Result]:
    """Compare each shape of the model."""
    examples = training_examples()
    return [
        result for layers in ENCODER_LAYERS for result in _compare_shape(layers, examples, settings)
    ]


def _compare_shape(layers: int, examples: list[Example], settings: Settings) -> list[Result]:
    groups = partial(_groups_of_round, examples, quick=settings.quick)
    with processes(2, settings.threads) as (plain_process, our_process):
        plain, ours = interleave(
            {
                "plain training": lambda number: plain_process.submit(
                    plain_round, layers, groups(number)
                ).result(),
                "seqcli training": lambda number: our_process.submit(
                    our_round, layers, groups(number)
                ).result(),
            },
            1 if settings.quick else ROUNDS,
        )
    what = f"training, encoder of {layers} layer{'s' if layers > 1 else ''}"
    speed = compare_speed(
        f"{what}, {ours[0].note}", plain, ours, goal=GOAL, show=lambda speed: f"{speed:,.0f} tok/s"
    )
    return [speed, compare_memory(f"{what}: peak MiB, less is better", plain, ours)]


def _groups_of_round(examples: list[Example], number: int, *, quick: bool) -> Groups:
    """Return the batches of a round: other ones each round, the same for both sides."""
    steps = 2 if quick else STEPS if number else WARM_UP_STEPS
    batch_tokens = 400 if quick else BATCH_TOKENS
    lengths = Examples.of(examples).lengths
    batches = token_batches(lengths, batch_tokens=batch_tokens, seed=1, epoch=number)
    return [[examples[index] for index in batch] for batch in batches[:steps]]


def plain_round(layers: int, groups: Groups) -> Round:
    """Make an update from each batch, the plain way."""
    step = _plain_step(layers)
    start = time.perf_counter()
    for group in groups:
        step(pair_batch(group))
    return finished(_num_tokens(groups), time.perf_counter() - start)


@functools.cache
def _plain_step(layers: int) -> Callable[[PairBatch], float]:
    torch.manual_seed(1)
    model = PlainModel(_model_config(layers), VOCABULARY_SIZE).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return partial(training_step, model, optimizer, clip_norm=CONFIG.clip_norm)


def our_round(layers: int, groups: Groups) -> Round:
    """Train an epoch of these batches; the clock runs from the first to the validation.

    The pass that finds out whether the longest fits into memory comes before the first.
    """
    model = _our_model(layers)
    clock: list[float] = []

    def pad(group: Sequence[Example]) -> PairBatch:
        clock.append(time.perf_counter())
        return pair_batch(group)

    def batches(epoch: int, *, shares: int) -> Sequence[PendingBatch]:
        return [PendingExamples(Examples.of(group), np.arange(len(group)), pad) for group in groups]

    def validate() -> Validation:
        clock.append(time.perf_counter())
        return Validation("nothing", 0.0, "")

    with TemporaryDirectory() as folder:
        Trainer(
            model,
            CONFIG,
            batches=batches,
            loss=partial(TranslationTask(TranslationRecipe(), {}).loss, model, smoothing=0.0),
            validate=validate,
            publish=lambda report: None,
            higher_is_better=True,
            checkpoints=CheckpointFolder(Path(folder)),
            reporter=_Silence(),
            seed=1,
        ).train()
    _, start, *_, end = clock
    dtype = str(choose_precision(CONFIG.precision, torch.device("cpu"))).removeprefix("torch.")
    return finished(_num_tokens(groups), end - start, note=dtype)


@functools.cache
def _our_model(layers: int) -> Seq2Seq:
    keep_freed_memory()
    bound_kernel_cache()
    torch.manual_seed(1)
    return build_seq2seq(
        _model_config(layers),
        source_vocabulary_size=VOCABULARY_SIZE,
        target_vocabulary_size=VOCABULARY_SIZE,
    )


def _model_config(layers: int) -> Seq2SeqConfig:
    return Seq2SeqConfig(encoder=EncoderConfig(layers=layers), dropout=0.0, word_dropout=0.0)


def _num_tokens(groups: Groups) -> int:
    return sum(len(example.target) + 1 for group in groups for example in group)


class _Silence:
    """A reporter that says nothing."""

    def message(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def validated(self, report: ValidationReport) -> None: ...
