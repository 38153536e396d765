"""Text of any size: how long it takes to prepare and to start from, and what a step costs.

The text is made up, with lines as long as captions, each with a number so that no two are the same.
Each figure comes from a process of its own, so that its peak of memory is that of this one thing.
"""

import functools
import itertools
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.data.batching import PendingBatch
from seqcli.data.corpora import Corpus
from seqcli.data.dataset import Dataset
from seqcli.data.prepared_folder import PreparedFolder
from seqcli.data.stored_text import store_text
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import TokenizerConfig, load_tokenizer, train_tokenizer
from seqcli.training.memory import bound_kernel_caches, keep_freed_memory
from tests.benchmarks.corpus import made_up_captions
from tests.benchmarks.rounds import Result, Round, Settings, finished, interleave, processes

SIZES = (30_000, 3_000_000)  # pairs
QUICK_SIZES = (500, 2_000)
CAPTIONS = 20_000  # different ones, before they are numbered
STEPS = 20  # whose time a token is measured
ROUNDS = 5
SLOWEST_START = 10.0  # seconds, for the larger size
MOST_MEGABYTES = 2000.0
LARGEST_GROWTH = 1.1  # of the time a token, from the smaller size to the larger


def run(settings: Settings) -> list[Result]:
    """Prepare text of both sizes, and compare what a training step costs."""
    sizes = QUICK_SIZES if settings.quick else SIZES
    results = []
    with TemporaryDirectory() as name, processes(3 * len(sizes), settings.threads) as pools:
        folders = [Path(name) / f"{size}" for size in sizes]
        for number, (folder, size) in enumerate(zip(folders, sizes, strict=True)):
            folder.mkdir()
            _write_corpus(folder, 500 if settings.quick else CAPTIONS, size)
            results += _prepare_and_start(folder, pools[3 * number :], size)
        few, many = interleave(
            {
                f"steps, {size:,} pairs": partial(_steps_of_round, pools[3 * number + 2], folder)
                for number, (folder, size) in enumerate(zip(folders, sizes, strict=True))
            },
            1 if settings.quick else ROUNDS,
        )
    return [*results, _growth(few, many)]


def _prepare_and_start(
    folder: Path, pools: Sequence[ProcessPoolExecutor], size: int
) -> list[Result]:
    prepared, started = (
        pool.submit(work, folder).result()
        for pool, work in zip(pools, (prepare, start), strict=False)
    )
    return [
        Result(f"prepare {size:,} pairs, pairs/s", "", f"{prepared.speed:,.0f}"),
        _bounded(f"prepare {size:,} pairs, peak MB", prepared.peak_megabytes, MOST_MEGABYTES),
        _bounded(f"first batch of {size:,} pairs, s", started.seconds, SLOWEST_START),
        _bounded(f"first batch of {size:,} pairs, peak MB", started.peak_megabytes, MOST_MEGABYTES),
    ]


def _bounded(what: str, value: float, most: float) -> Result:
    shown = f"{value:,.0f}" if value > 100 else f"{value:.2f}"
    return Result(what, "", shown, goal=f"<= {most:,.0f}", is_met=value <= most)


def _growth(few: Sequence[Round], many: Sequence[Round]) -> Result:
    """Compare the time a token of a step; the ratio is the median of those of the rounds."""
    ratios = [one.speed / other.speed for one, other in zip(few, many, strict=True)]
    growth = statistics.median(ratios)
    few_time, many_time = (
        statistics.median(1e6 / done.speed for done in rounds) for rounds in (few, many)
    )
    return Result(
        "step, microseconds a token, few and many pairs",
        f"{few_time:.1f}",
        f"{many_time:.1f}",
        f"{growth:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        f"<= {LARGEST_GROWTH:.2f}",
        growth <= LARGEST_GROWTH,
    )


def _steps_of_round(pool: ProcessPoolExecutor, folder: Path, number: int) -> Round:
    return pool.submit(steps, folder, number).result()


def prepare(folder: Path) -> Round:
    """Do all that is done with the text before a first training starts, but for the tokenizer."""
    start = time.perf_counter()
    dataset, _ = _opened(folder)
    return finished(len(dataset), time.perf_counter() - start)


def start(folder: Path) -> Round:
    """Make the first batch of text that was prepared before."""
    begin = time.perf_counter()
    dataset, task = _opened(folder)
    task.fitted_recipe(dataset)
    task.batches(dataset, epoch=0)[0].make()
    return finished(1, time.perf_counter() - begin)


def steps(folder: Path, number: int) -> Round:
    """Make batches from the middle of an epoch on, and the gradient of each."""
    batches, task, model = _started(folder)
    first = len(batches) // 2 + number * STEPS
    tokens = 0
    begin = time.perf_counter()
    for pending in itertools.islice(itertools.cycle(batches), first, first + STEPS):
        batch = pending.make()
        loss, _ = task.loss(model, batch, smoothing=0.0)
        loss.backward()
        tokens += int(batch.num_targets)
    return finished(tokens, time.perf_counter() - begin)


@functools.cache
def _started(folder: Path) -> tuple[Sequence[PendingBatch], TranslationTask, Seq2Seq]:
    keep_freed_memory()
    bound_kernel_caches()
    dataset, task = _opened(folder)
    torch.manual_seed(1)
    return task.batches(dataset, epoch=0), task, task.build_model().train()


def _opened(folder: Path) -> tuple[Dataset, TranslationTask]:
    tokenizer = load_tokenizer(folder / "shared.model")
    task = TranslationTask(TranslationRecipe(), {"shared": tokenizer})
    corpus = Corpus((str(folder / "source"), str(folder / "target")), 2)
    text = store_text([corpus], PreparedFolder(folder))
    return task.training_dataset(text, tell=lambda line: None), task


def _write_corpus(folder: Path, num_captions: int, size: int) -> None:
    """Write both sides of a text and the tokenizer for them."""
    draw = random.Random(1)
    captions = made_up_captions(num_captions)
    numbered = [f"{caption} {number}" for number, caption in enumerate(captions)]
    train_tokenizer(numbered, TokenizerConfig()).save(folder, "shared")
    for side in ("source", "target"):
        with (folder / side).open("w", encoding="utf-8") as file:
            for number in range(size):
                file.write(f"{draw.choice(captions)} {number}\n")
