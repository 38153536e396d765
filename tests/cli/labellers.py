"""Tiny classifiers and taggers that have learned a toy task by heart."""

from pathlib import Path

from seqcli.api.train import train
from seqcli.cli.training_display import QuietReporter
from seqcli.experiment import resolve_recipe

REVIEWS = {
    "a fine film": "good",
    "fine , fine": "good",
    "a dull film": "very bad",
    "dull": "very bad",
    "a film": "not sure",
    "film": "not sure",
}
SENTENCES = {
    "the dogs bark": "DET NOUN VERB",
    "dogs see the man": "NOUN VERB DET NOUN",
    "the man barks": "DET NOUN VERB",
    "men bark": "NOUN VERB",
}
SETTINGS = [
    "tokenizer.kind=words",
    "training.epochs=30",
    "training.learning_rate=0.03",
    "training.batch_tokens=10",
    "training.warmup_steps=0",
    "training.ema_decay=0.5",
    "training.precision=float32",
    "model.embedding_size=12",
    "model.encoder.size=12",
    "model.encoder.layers=1",
    "model.dropout=0",
    "model.word_dropout=0",
]


def write_pairs(folder: Path, pairs: dict[str, str]) -> tuple[str, str]:
    """Write texts and labels to two files, and return their paths."""
    (folder / "texts").write_text("".join(f"{line}\n" for line in pairs), encoding="utf-8")
    (folder / "labels").write_text(
        "".join(f"{label}\n" for label in pairs.values()), encoding="utf-8"
    )
    return str(folder / "texts"), str(folder / "labels")


def train_at(folder: Path, architecture: str, pairs: dict[str, str], *settings: str) -> str:
    files = dict.fromkeys(("train", "valid"), write_pairs(folder, pairs))
    recipe = resolve_recipe(
        None, files=files, assignments=[*SETTINGS, *settings], architecture=architecture
    )
    train(recipe, folder / "model", reporter=QuietReporter(), device="cpu")
    return str(folder / "model")
