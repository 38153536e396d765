"""Tiny models with random weights: in memory, and as a folder."""

from pathlib import Path
from typing import Any

import msgspec
import torch

from seqcli.bundle import FORMAT, Facts, save_tokenizers, vocabulary_fingerprint, write_model
from seqcli.config import from_dict
from seqcli.experiment import Recipe
from seqcli.inspection.loading import LoadedModel
from seqcli.tasks.translation import build_model
from seqcli.tokenizers import TokenizerConfig, train_tokenizer

SOURCES = ["ein Hund rennt", "zwei Hunde", "ein Mann rennt", "eine Frau liest ein Buch"]
TARGETS = ["a dog runs", "two dogs run", "a man", "a woman reads a book to a dog"]
SIZES: dict[str, Any] = {
    "embedding_size": 4,
    "encoder": {"size": 3, "layers": 2},
    "decoder": {"size": 5, "layers": 2},
}


def untrained_model(*, kind: str = "words", **settings: Any) -> LoadedModel:
    """`settings` are those of the section `model`; weights are larger than a training's first."""
    recipe = from_dict({"model": {**SIZES, **settings}}, Recipe, origin="a test")
    tokenizer = train_tokenizer([*SOURCES, *TARGETS], TokenizerConfig(kind=kind))
    tokenizers = {"shared": tokenizer}
    torch.manual_seed(3)
    model = build_model(recipe.model, source_tokenizer=tokenizer, target_tokenizer=tokenizer)
    model.eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter += torch.randn_like(parameter) * 0.3
    facts = Facts(
        format=FORMAT,
        task="translation",
        architecture="seq2seq",
        name="tiny",
        recipe=msgspec.to_builtins(recipe),
        tokenizers=list(tokenizers),
        vocabulary=vocabulary_fingerprint(tokenizers),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    return LoadedModel(Path("tiny"), facts, recipe, model, tokenizer, tokenizer)


def save(loaded: LoadedModel, folder: Path) -> str:
    folder.mkdir()
    save_tokenizers(folder, {"shared": loaded.source_tokenizer})
    write_model(folder, loaded.facts, dict(loaded.model.named_parameters()))
    return str(folder)
