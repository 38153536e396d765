"""A training that is killed again and again, and goes on each time until it is done.

    python -m tests.system.killed_trainings CORPUS FOLDER SEED ARCHITECTURE

CORPUS.source and CORPUS.target are the text; labels are made of the source. The uninterrupted
training is left in FOLDER/whole, the killed ones in FOLDER/0, FOLDER/1 and so on; what happened is
printed as JSON.

Each life of a training is a fork of this process, which imports torch and never computes with it:
so a life starts at once.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import sacrebleu  # noqa: F401  # what a training imports late, imported once for all lives
import sentencepiece  # noqa: F401
import torch._dynamo  # noqa: F401

from seqcli.api.train import train
from seqcli.experiment import Recipe
from seqcli.text.lines import UNFINISHED
from seqcli.training.report import Progress, ValidationReport
from tests.api.trainings import corpus_for, recipe_of

FEWEST_KILLS = 60
MODEL = Path("model")
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir")  # audit events; and files opened anew

Begin = Callable[[], None]  # what a life does first
Watch = Callable[[Iterator[str]], bool]  # whether it is to be killed, given its news as they come


@dataclass
class Record:
    kills: int = 0
    kills_while_writing: int = 0
    steps: list[int] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Teller:
    """Writes a line to a pipe for each step and each message."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def message(self, text: str) -> None:
        self._pipe.write(f"message {text}\n".encode())

    def progress(self, progress: Progress) -> None:
        self._pipe.write(f"step {progress.step}\n".encode())

    def validated(self, report: ValidationReport) -> None: ...


def live(folder: Path, recipe: Recipe, watch: Watch, begin: Begin, record: Record) -> bool:
    """Train or go on in a process that `watch` may have killed; return whether it came to its end.

    Any other end than these two is a complaint.
    """
    folder.mkdir(exist_ok=True)
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read)
        os.chdir(folder)
        try:
            begin()
            reporter = Teller(os.fdopen(write, "wb", buffering=0))
            train(recipe, MODEL, reporter=reporter, resume=True, device="cpu", threads=1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        news = heard(pipe, record)
        if watch(news):
            os.kill(process, signal.SIGKILL)
        for _ in news:
            pass
    _, status = os.waitpid(process, 0)
    was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    record.kills += was_killed
    record.kills_while_writing += was_killed and any(folder.rglob(UNFINISHED))
    if not was_killed and status != 0:
        record.complaints.append(f"a training ended with status {status}")
    return not was_killed


def heard(pipe: Iterator[str], record: Record) -> Iterator[str]:
    for line in pipe:
        if line.startswith("step "):
            record.steps.append(int(line.split()[1]))
            yield line
        elif "damaged" in line:
            record.complaints.append(line)


def to_the_end(news: Iterator[str]) -> bool:
    return False


def at_once() -> None:
    """Begin without ado."""


def killed_after(steps: int, seconds: float) -> Watch:
    """The life ends so long after it has made so many steps, whatever it does then."""

    def watch(news: Iterator[str]) -> bool:
        for _ in range(steps):
            if next(news, None) is None:
                return False
        time.sleep(seconds)
        return True

    return watch


def dying_at(number: int) -> Begin:
    """The life ends by its own hand just before its change of that number to files and folders."""
    changes = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        is_new_file = event == "open" and bool({*str(arguments[1])} & {*"wxa"})
        if is_new_file or event in CHANGES:
            changes += 1
            if changes == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(hook)


def main(corpus: str, out: str, seed: str, architecture: str) -> None:
    files = corpus_for(architecture, {"train": (f"{corpus}.source", f"{corpus}.target")})["train"]
    recipe = recipe_of(
        {"train": files, "valid": files, "test": files},
        "training.save_minutes=1e-9",  # a state after each step
        "training.epochs=6",
        "training.average_best=2",
        "training.batch_tokens=24",
        architecture=architecture,
    )
    whole, record, generator = Record(), Record(), random.Random(int(seed))
    start = time.monotonic()
    assert live(Path(out) / "whole", recipe, to_the_end, at_once, whole)
    seconds_a_step = (time.monotonic() - start) / len(whole.steps)
    rounds = 0
    while record.kills < FEWEST_KILLS and not record.complaints:
        folder, is_done = Path(out) / str(rounds), False
        while not is_done:
            if generator.random() < 0.5:
                begin, watch = dying_at(generator.randint(1, 25)), to_the_end
            else:
                seconds = generator.uniform(0, 2) * seconds_a_step
                begin, watch = at_once, killed_after(generator.randint(0, 3), seconds)
            is_done = live(folder, recipe, watch, begin, record)
        rounds += 1
    print(
        json.dumps(
            {
                "rounds": rounds,
                "kills": record.kills,
                "kills while writing": record.kills_while_writing,
                "steps": len(whole.steps),
                "steps of the killed": len(record.steps),
                "complaints": whole.complaints + record.complaints,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
