"""Folders of small untrained models, whose weights are large enough to have opinions."""

from pathlib import Path

import msgspec
import torch

from seqcli.bundle import (
    FORMAT,
    Facts,
    save_tokenizers,
    vocabulary_fingerprint,
    write_model,
)
from seqcli.config import from_dict, override
from seqcli.experiment import Recipe
from seqcli.inspection.loading import LoadedModel, load_seq2seq
from seqcli.tasks.translation import build_model
from seqcli.tokenizers import train_tokenizer

SETTINGS = (
    "tokenizer.kind=words",
    "model.embedding_size=6",
    "model.encoder.size=4",
    "model.encoder.layers=2",
    "model.decoder.size=8",
    "model.decoder.layers=2",
    "decoding.max_source_length=9",
)
TEXT = ["a man plays the guitar", "two dogs run over green grass", "the man runs"]
SENTENCE = "the man plays"


def write_folder(folder: Path, *assignments: str, half_precision: bool = False) -> Path:
    """Write a model with `SETTINGS` and those that are given; return its folder."""
    recipe = from_dict(override({}, [*SETTINGS, *assignments], Recipe), Recipe, origin="a test")
    tokenizers = {"shared": train_tokenizer(TEXT, recipe.tokenizer)}
    torch.manual_seed(3)
    model = build_model(
        recipe.model,
        source_tokenizer=tokenizers["shared"],
        target_tokenizer=tokenizers["shared"],
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2).add_(0.1)
    folder.mkdir(exist_ok=True)
    save_tokenizers(folder, tokenizers)
    facts = Facts(
        format=FORMAT,
        task=recipe.task,
        architecture=recipe.architecture,
        name=folder.name,
        recipe=msgspec.to_builtins(recipe),
        tokenizers=list(tokenizers),
        vocabulary=vocabulary_fingerprint(tokenizers),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    write_model(folder, facts, dict(model.named_parameters()), half_precision=half_precision)
    return folder


def load_folder(folder: Path, *assignments: str) -> LoadedModel:
    """Write such a model and load it."""
    return load_seq2seq(str(write_folder(folder, *assignments)))
