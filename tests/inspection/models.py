"""Tiny models with random weights: in memory, as a folder, and loaded from one."""

from pathlib import Path
from typing import Any

import msgspec
import torch

from seqcli.bundle import FORMAT, Facts, save_tokenizers, vocabulary_fingerprint, write_model
from seqcli.config import from_dict, override
from seqcli.experiment import RECIPES
from seqcli.inspection.loading import LoadedModel, load_network
from seqcli.tasks import TASKS

SOURCES = ["ein Hund rennt", "zwei Hunde", "ein Mann rennt", "eine Frau liest ein Buch"]
TARGETS = ["a dog runs", "two dogs run", "a man", "a woman reads a book to a dog"]
LABELS = ["animal", "animal", "human", "human"]
TAGS = ["D N V", "D N", "D N V", "D N V D N"]
SENTENCE = "ein Hund liest"
MOST_TOKENS = 9  # that a translation model reads at once
ENCODER: dict[str, Any] = {"embedding_size": 4, "encoder": {"size": 3, "layers": 2}}
DECODER: dict[str, Any] = {"embedding_size": 4, "decoder": {"size": 5, "layers": 2}}
SIZES = {
    "seq2seq": ENCODER | DECODER,
    "classifier": ENCODER,
    "tagger": ENCODER,
    "language-model": DECODER,
}
TEXTS = {
    "seq2seq": (SOURCES, TARGETS),
    "classifier": (SOURCES, LABELS),
    "tagger": (SOURCES, TAGS),
    "language-model": (SOURCES,),
}
READERS = ("classifier", "tagger")  # that have an encoder alone


def untrained_model(
    *assignments: str, architecture: str = "seq2seq", kind: str = "words", **settings: Any
) -> LoadedModel[Any]:
    """Build a model of `SIZES`, of which `settings` replace sections and `assignments` keys.

    Its weights are larger than a training's first ones, so that it has opinions.
    """
    values: dict[str, Any] = {
        "architecture": architecture,
        "tokenizer": {"kind": kind},
        "model": {**SIZES[architecture], **settings},
    }
    if architecture == "seq2seq":
        values["decoding"] = {"max_source_length": MOST_TOKENS}
    recipe_kind = RECIPES[architecture]
    recipe = from_dict(override(values, assignments, recipe_kind), recipe_kind, origin="a test")
    task_kind = TASKS[recipe.task]
    tokenizers = task_kind.learn_tokenizers(recipe, TEXTS[architecture])
    torch.manual_seed(3)
    task = task_kind(recipe, tokenizers)
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


def save(loaded: LoadedModel[Any], folder: Path, *, half_precision: bool = False) -> str:
    """Write a model as a training does, and return its folder as a command takes it."""
    folder.mkdir()
    save_tokenizers(folder, loaded.task.tokenizers)
    weights = dict(loaded.model.named_parameters())
    write_model(folder, loaded.facts, weights, half_precision=half_precision)
    return str(folder)


def saved_model(
    folder: Path, *assignments: str, architecture: str = "seq2seq", half_precision: bool = False
) -> LoadedModel[Any]:
    """Write an untrained model, and load it from there."""
    model = untrained_model(*assignments, architecture=architecture)
    return load_network(save(model, folder, half_precision=half_precision))
