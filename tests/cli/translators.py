"""A tiny translator that has learned to end its output, and what it is expected to say."""

from pathlib import Path
from typing import Any

from seqcli.api.train import train
from seqcli.api.translate import load_translator
from seqcli.cli.training_display import QuietReporter
from seqcli.experiment import resolve_recipe
from seqcli.translator import Translation

SOURCES = ["ein Hund rennt", "zwei Hunde", "ein Mann rennt", "eine Frau liest ein Buch"]
TARGETS = ["a dog runs", "two dogs", "a man runs", "a woman reads a book"]
LINES = ["ein Hund liest", "", "zwei Frau", "ein Mann rennt ein Buch", "rennt"]
SIZES = ["embedding_size=16", "encoder.size=16", "encoder.layers=1", "decoder.size=32"]
SETTINGS = [
    "tokenizer.kind=words",
    "training.epochs=25",
    "training.learning_rate=0.02",
    "training.batch_tokens=12",
    "training.warmup_steps=0",
    "evaluation.metric=loss",
    "decoding.max_source_length=50",
    "model.dropout=0",
    "model.word_dropout=0",
    *(f"model.{size}" for size in SIZES),
]


def train_at(folder: Path, *settings: str) -> str:
    for name, lines in [("de", SOURCES), ("en", TARGETS)]:
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pair = (str(folder / "de"), str(folder / "en"))
    files = {"train": pair, "valid": pair}
    recipe = resolve_recipe(None, files=files, assignments=[*SETTINGS, *settings])
    train(recipe, folder / "model", reporter=QuietReporter(), device="cpu")
    return str(folder / "model")


def one_by_one(model: str, **options: Any) -> list[Translation]:
    """Each line translated alone, by the public function."""
    translator = load_translator(model, **options)
    return [next(translator.translate([line])) for line in LINES]


def in_full(texts: list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
