"""The statistical system: how long it trains, how fast it translates, and what memory that takes.

Each figure is of a whole process as a user starts it, with all that it imports. The first training
compiles all kernels, the second finds their code on disk. Speed and BLEU of a translation are those
of the test set, read once more and more often, so that start-up counts little.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from seqcli.api.evaluate import score_lines
from seqcli.text.lines import read_lines
from tests.benchmarks.corpus import MULTI30K, NUM_PAIRS, has_multi30k, made_up_captions
from tests.benchmarks.rounds import Result, Settings

REPEATS = 5  # of the test set
SMALL_STACK = 10
LARGE, SHARE_OF_NOISE = 200_000, 0.1  # pairs, and words that are others in each copy of a text
LONGEST = {"cold": 130.0, "cached": 100.0, "large": 600.0, "start": 2.0}  # seconds
MOST_MEGABYTES = {"usual": 1500.0, "large": 6000.0}
LEAST_SPEED = {"full": 500.0, "small": 900.0}  # sentences a second
MOST_BLEU_LOST = 0.3  # by the small stack
SETS = ("train", "val", "test_2016_flickr")
SIDES = ("de", "en")  # as the files are named: the compounds of German are split

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    peak_megabytes: float


def run(settings: Settings) -> list[Result]:
    """Train on a small and a large text, and translate by a usual and a small stack."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_texts(folder, quick=settings.quick)
        bench = _Bench(folder, settings.threads)
        return [*bench.training(), *bench.translating(), *bench.large_training(settings.quick)]


class _Bench:
    """The command line, at work in a folder with texts."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads = folder, threads

    def training(self) -> list[Result]:
        cold, cached = (self._train("train", f"model-{number}") for number in (1, 2))
        what = "statistical training with tuning, 29,000 pairs"
        return [
            _at_most(f"{what}, kernels not compiled, s", cold.seconds, LONGEST["cold"]),
            _at_most(f"{what}, s", cached.seconds, LONGEST["cached"]),
            _at_most(f"{what}, peak MB", cached.peak_megabytes, MOST_MEGABYTES["usual"]),
        ]

    def translating(self) -> list[Result]:
        once, often = self._folder / "one.de", self._folder / "often.de"
        lines = list(read_lines(self._folder / "test.de"))
        _write(once, lines[:1])
        _write(often, lines * REPEATS)
        start, _ = self._translate(once)
        results = [_at_most("statistical, first translation, s", start.seconds, LONGEST["start"])]
        scores = []
        references = [list(read_lines(self._folder / "test.en")) * REPEATS]
        for name, options in (("full", ()), ("small", ("--beam", f"{SMALL_STACK}"))):
            cost, output = self._translate(often, *options)
            speed = REPEATS * len(lines) / (cost.seconds - start.seconds)
            scores.append(score_lines(output, references, ("bleu",))[0].value)
            what = f"statistical translation, {name} stack, sentences/s"
            results.append(_at_least(what, speed, LEAST_SPEED[name]))
        lost = scores[0] - scores[1]
        what = f"statistical translation, BLEU {scores[0]:.2f} with the full stack, lost"
        return [*results, _at_most(what, lost, MOST_BLEU_LOST)]

    def large_training(self, quick: bool) -> list[Result]:
        pairs = list(
            zip(
                *(read_lines(self._folder / f"train.{side}") for side in SIDES),
                strict=True,
            )
        )
        _write_pairs(self._folder / "large", _with_noise(pairs, 1000 if quick else LARGE))
        cost = self._train("large", "large-model")
        what = f"statistical training with tuning, {LARGE:,} pairs"
        return [
            _at_most(f"{what}, s", cost.seconds, LONGEST["large"]),
            _at_most(f"{what}, peak MB", cost.peak_megabytes, MOST_MEGABYTES["large"]),
        ]

    def _train(self, text: str, model: str) -> Cost:
        arguments = ["train", "--arch", "smt", "-o", str(self._folder / model), "--quiet"]
        for option, name in (("--train", text), ("--valid", "valid")):
            arguments += [
                option,
                *(str(self._folder / f"{name}.{side}") for side in SIDES),
            ]
        return self._run(arguments, Path(os.devnull))

    def _translate(self, source: Path, *options: str) -> tuple[Cost, list[str]]:
        output = self._folder / "output"
        arguments = ["translate", str(self._folder / "model-2"), str(source), *options]
        return self._run(arguments, output), list(read_lines(output))

    def _run(self, arguments: Sequence[str], output: Path) -> Cost:
        command = [sys.executable, "-m", "seqcli", *arguments, "--threads", f"{self._threads}"]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(self._folder / "code")}
        start = time.perf_counter()
        with output.open("w") as stream:
            process = subprocess.Popen(command, stdout=stream, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        print(f"  seqcli {' '.join(arguments[:2])}: {seconds:.1f} s", flush=True)
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(seconds, usage.ru_maxrss * unit / 1e6)


def _write_texts(folder: Path, *, quick: bool) -> None:
    """Write the texts as captions are, or such as are made up, their words in another order."""
    for name, own, count in zip(
        ("train", "valid", "test"), SETS, (NUM_PAIRS, 1000, 1000), strict=True
    ):
        if has_multi30k():
            files = [MULTI30K / f"{own}.{language}" for language in SIDES]
            pairs = list(zip(*map(read_lines, files), strict=True))
        else:
            pairs = [
                (line, " ".join(line.upper().split()[::-1])) for line in made_up_captions(count)
            ]
        _write_pairs(folder / name, pairs[: 300 if quick else count])


def _with_noise(pairs: Pairs, count: int) -> Iterable[tuple[str, str]]:
    """Yield `count` pairs: those given again and again, with some words replaced in each copy."""
    draw = random.Random(1)
    words = [[word for pair in pairs for word in pair[side].split()] for side in (0, 1)]
    for number in range(count):
        source, target = (
            " ".join(
                draw.choice(others) if draw.random() < SHARE_OF_NOISE else word
                for word in line.split()
            )
            for line, others in zip(pairs[number % len(pairs)], words, strict=True)
        )
        yield source, target


def _write_pairs(stem: Path, pairs: Iterable[tuple[str, str]]) -> None:
    for side, lines in zip(SIDES, zip(*pairs, strict=True), strict=True):
        _write(stem.with_suffix(f".{side}"), lines)


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _at_most(what: str, value: float, most: float) -> Result:
    return Result(what, "", _shown(value), goal=f"<= {most:g}", is_met=value <= most)


def _at_least(what: str, value: float, least: float) -> Result:
    return Result(what, "", _shown(value), goal=f">= {least:g}", is_met=value >= least)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
