"""Tiny models with random weights: in memory, as a folder, and loaded from one."""

from pathlib import Path
from typing import Any

import msgspec
import torch

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.bundle import FORMAT, Facts, save_tokenizers, vocabulary_fingerprint, write_model
from seqcli.config import from_dict, override
from seqcli.experiment import TranslationRecipe
from seqcli.inspection.loading import LoadedModel, load_seq2seq
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import train_tokenizer

SOURCES = ["ein Hund rennt", "zwei Hunde", "ein Mann rennt", "eine Frau liest ein Buch"]
TARGETS = ["a dog runs", "two dogs run", "a man", "a woman reads a book to a dog"]
SENTENCE = "ein Hund liest"
MOST_TOKENS = 9  # that a model reads at once
SIZES: dict[str, Any] = {
    "embedding_size": 4,
    "encoder": {"size": 3, "layers": 2},
    "decoder": {"size": 5, "layers": 2},
}


def untrained_model(
    *assignments: str, kind: str = "words", **settings: Any
) -> LoadedModel[Seq2Seq]:
    """Build a model of `SIZES`, of which `settings` replace sections and `assignments` keys.

    Its weights are larger than a training's first ones, so that it has opinions.
    """
    values = {
        "tokenizer": {"kind": kind},
        "model": {**SIZES, **settings},
        "decoding": {"max_source_length": MOST_TOKENS},
    }
    recipe = from_dict(
        override(values, assignments, TranslationRecipe), TranslationRecipe, origin="a test"
    )
    tokenizer = train_tokenizer([*SOURCES, *TARGETS], recipe.tokenizer)
    tokenizers = {"shared": tokenizer}
    torch.manual_seed(3)
    task = TranslationTask(recipe, tokenizers)
    model = task.build_model()
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter += torch.randn_like(parameter) * 0.3
    facts = Facts(
        format=FORMAT,
        task=recipe.task,
        architecture=recipe.architecture,
        name="tiny",
        recipe=msgspec.to_builtins(recipe),
        tokenizers=list(tokenizers),
        vocabulary=vocabulary_fingerprint(tokenizers),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    return LoadedModel(Path("tiny"), facts, task, model)


def save(loaded: LoadedModel[Seq2Seq], folder: Path, *, half_precision: bool = False) -> str:
    """Write a model as a training does, and return its folder as a command takes it."""
    folder.mkdir()
    save_tokenizers(folder, {"shared": loaded.source_tokenizer})
    weights = dict(loaded.model.named_parameters())
    write_model(folder, loaded.facts, weights, half_precision=half_precision)
    return str(folder)


def saved_model(
    folder: Path, *assignments: str, half_precision: bool = False
) -> LoadedModel[Seq2Seq]:
    """Write an untrained model, and load it from there."""
    saved = save(untrained_model(*assignments), folder, half_precision=half_precision)
    return load_seq2seq(saved)
