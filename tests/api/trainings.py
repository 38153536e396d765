"""Small trainings, stopped where a test wants it."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seqcli.api.train import train
from seqcli.bundle import Facts, read_bundle
from seqcli.experiment import Recipe, resolve_recipe
from seqcli.training.report import Progress, ValidationReport

SETTINGS = (
    "data.subword_sampling=0.5",
    "tokenizer.vocabulary_size=40",
    "tokenizer.byte_fallback=false",
    "model.embedding_size=8",
    "model.encoder.size=8",
    "model.encoder.layers=1",
    "model.decoder.size=8",
    "model.dropout=0.2",
    "model.word_dropout=0.2",
    "training.epochs=2",
    "training.batch_tokens=60",
    "training.warmup_steps=4",
    "training.precision=float32",
)

LACKING = {  # a section of the settings that an architecture does not have
    "seq2seq": "none",
    "classifier": "model.decoder",
    "tagger": "model.decoder",
    "language-model": "model.encoder",
}

Corpus = dict[str, tuple[str, ...]]


class Recorder:
    """Keeps messages and validations, and calls `at_step` with the step of each progress."""

    def __init__(self, at_step: Callable[[int], None] = lambda step: None) -> None:
        self.messages: list[str] = []
        self.validations: list[ValidationReport] = []
        self._at_step = at_step

    def message(self, text: str) -> None:
        self.messages.append(text)

    def progress(self, progress: Progress) -> None:
        self._at_step(progress.step)

    def validated(self, report: ValidationReport) -> None:
        self.validations.append(report)


def recipe_of(corpus: Corpus, *assignments: str, architecture: str = "seq2seq") -> Recipe:
    settings = [each for each in SETTINGS if not each.startswith(LACKING[architecture])]
    return resolve_recipe(
        None,
        files=corpus,
        assignments=[*settings, *assignments],
        seed=5,
        architecture=architecture,
    )


def corpus_for(architecture: str, corpus: Corpus) -> Corpus:
    """The source files of a corpus with what this architecture learns of them.

    That is nothing else for a language model; else labels by the first letter of line or words.
    """
    if architecture == "seq2seq":
        return corpus
    if architecture == "language-model":
        return {name: files[:1] for name, files in corpus.items()}
    labelled: Corpus = {}
    for name, (source, *_) in corpus.items():
        lines = Path(source).read_text().splitlines()
        labels = Path(source).with_suffix(".labels")
        words = [line.split()[: 1 if architecture == "classifier" else None] for line in lines]
        labels.write_text("".join(" ".join(word[0] for word in line) + "\n" for line in words))
        labelled[name] = (source, str(labels))
    return labelled


def train_at(folder: Path, recipe: Recipe, recorder: Recorder | None = None, **how: Any) -> Facts:
    torch.manual_seed(random.randrange(1000))  # the result depends on the recipe alone
    return train(recipe, folder, reporter=recorder or Recorder(), device="cpu", **how)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def require_equal(folder: Path, other: Path) -> None:
    """The two models are the same, bit for bit."""
    ours, others = read_bundle(folder).weights, read_bundle(other).weights
    assert ours.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in ours.items())


def ask_to_stop_at(*steps: int) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step in steps:
            os.kill(os.getpid(), signal.SIGINT)

    return at_step
