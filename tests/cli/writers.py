"""A tiny language model that has learned a few lines, and where it lies."""

from pathlib import Path

from seqcli.api.train import train
from seqcli.experiment import resolve_recipe

TEXT = ["a dog runs", "two dogs run", "a man runs", "a woman reads a book", "two men read"] * 3
LINES = ["a dog runs", "", "two cats", "a woman reads a book and runs and runs", "runs"]
SETTINGS = [
    "tokenizer.kind=words",
    "model.embedding_size=16",
    "model.decoder.size=32",
    "model.dropout=0",
    "training.epochs=15",
    "training.learning_rate=0.02",
    "training.batch_tokens=30",
    "training.warmup_steps=0",
    "training.ema_decay=0",
]


def train_writer_at(folder: Path, *settings: str) -> str:
    text = folder / "text"
    text.write_text("".join(f"{line}\n" for line in TEXT), encoding="utf-8")
    files = {"train": (str(text),), "valid": (str(text),)}
    recipe = resolve_recipe(
        None, files=files, assignments=[*SETTINGS, *settings], architecture="language-model"
    )
    train(recipe, folder / "lm", device="cpu")
    return str(folder / "lm")
