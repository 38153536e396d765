"""Classifiers and taggers from text to scores: toy tasks, and a slice of real data."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqcli.api.systems import load_system
from seqcli.api.train import train
from seqcli.bundle import Facts, read_bundle
from seqcli.cli.training_display import QuietReporter
from seqcli.experiment import Recipe, resolve_recipe
from seqcli.training import trainer
from seqcli.training.interruption import Interrupted
from tests.api.trainings import Recorder, ask_to_stop_at

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
SETTINGS = [
    "tokenizer.kind=characters",
    "tokenizer.byte_fallback=false",
    "model.embedding_size=16",
    "model.encoder.size=16",
    "model.encoder.layers=1",
    "model.dropout=0",
    "model.word_dropout=0",
    "training.epochs=8",
    "training.batch_tokens=100",
    "training.learning_rate=0.01",
    "training.warmup_steps=20",
    "training.ema_decay=0.9",
    "training.precision=float32",
]

Files = dict[str, tuple[str, str]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def balance(word: str) -> str:
    """Does the first letter come again? To tell, all of the word must be read."""
    return "again" if word[0] in word[1:] else "not again"


def neighbours(words: list[str]) -> list[str]:
    """A tag says which word comes next: to tell it, a tagger must read from right to left."""
    return [f"B-{word[-1].upper()}" for word in words[1:]] + ["O"]


def toy(folder: Path, architecture: str) -> Files:
    generator = random.Random(4)
    files = {}
    for name, count in (("train", 2000), ("valid", 100), ("test", 100)):
        words = [
            "".join(generator.choices("abcd", k=generator.randint(1, 5))) for _ in range(count)
        ]
        if architecture == "classifier":
            pairs = [(word, balance(word)) for word in words]
        else:
            lines = [generator.choices(words, k=generator.randint(1, 5)) for _ in range(count // 2)]
            pairs = [(" ".join(line), " ".join(neighbours(line))) for line in lines]
        files[name] = write(folder, name, pairs)
    return files


def write(folder: Path, name: str, pairs: list[tuple[str, str]]) -> tuple[str, str]:
    paths = (folder / f"{name}.text", folder / f"{name}.labels")
    for path, lines in zip(paths, zip(*pairs, strict=True), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(paths[0]), str(paths[1])


def recipe_of(files: Files, architecture: str, *settings: str) -> Recipe:
    return resolve_recipe(
        None, files=files, assignments=[*SETTINGS, *settings], architecture=architecture
    )


def train_at(folder: Path, recipe: Recipe, reporter: Any = None, **how: Any) -> Facts:
    return train(recipe, folder, reporter=reporter or QuietReporter(), device="cpu", **how)


@pytest.mark.parametrize(
    ("architecture", "metrics"),
    [
        ("classifier", ["accuracy", "macro-F1"]),
        ("tagger", ["token-accuracy", "span-F1"]),
    ],
)
def test_a_toy_task_is_learned_and_the_stored_model_scores_as_was_recorded(
    tmp_path: Path, architecture: str, metrics: list[str]
) -> None:
    files = toy(tmp_path, architecture)
    facts = train_at(tmp_path / "model", recipe_of(files, architecture))
    tests = {score.name: score.value for score in facts.scores if score.set == "test"}
    assert list(tests) == metrics
    assert min(tests.values()) > 90

    texts, labels = (
        Path(path).read_text(encoding="utf-8").split("\n")[:-1] for path in files["test"]
    )
    answers = [answer.text for answer in load_system(str(tmp_path / "model")).translate(texts)]
    pairs = list(zip(labels, answers, strict=True))
    if architecture == "tagger":
        pairs = [
            pair for tags in pairs for pair in zip(*(line.split() for line in tags), strict=True)
        ]
    right = sum(wanted == found for wanted, found in pairs)
    assert tests[metrics[0]] == pytest.approx(100 * right / len(pairs))


@pytest.mark.parametrize("architecture", ["classifier", "tagger"])
def test_a_training_that_was_stopped_and_goes_on_equals_one_that_was_not(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_REPORTS", 0.0)  # so that each step is told
    settings = ["training.epochs=2", "model.dropout=0.2", "model.word_dropout=0.2"]
    recipe = recipe_of(toy(tmp_path, architecture), architecture, *settings)
    train_at(tmp_path / "whole", recipe)
    with pytest.raises(Interrupted):
        train_at(tmp_path / "stopped", recipe, Recorder(ask_to_stop_at(3)))
    train_at(tmp_path / "stopped", recipe, resume=True)
    whole, resumed = (read_bundle(tmp_path / part).weights for part in ("whole", "stopped"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


@pytest.mark.parametrize("architecture", ["classifier", "tagger"])
def test_embeddings_start_from_pretrained_vectors(tmp_path: Path, architecture: str) -> None:
    (tmp_path / "vectors").write_text("a 3 0 0 0\nb 0 4 0 0\n", encoding="utf-8")
    settings = [
        f"data.source_vectors={tmp_path / 'vectors'}",
        "model.embedding_size=4",
        "training.epochs=1",
        "training.learning_rate=1e-9",
    ]
    recipe = recipe_of(toy(tmp_path, architecture), architecture, *settings)
    train_at(tmp_path / "model", recipe)
    bundle = read_bundle(tmp_path / "model")
    row_4 = bundle.weights["source_embedding.weight"][bundle.source_tokenizer.encode("a")[-1]]
    torch.testing.assert_close(row_4, torch.tensor([3 / 3.5, 0, 0, 0]), atol=1e-4, rtol=0)


def real_pairs(kind: str, split: str, count: int) -> list[tuple[str, str]]:
    """The first lines of a real set, as texts and labels."""
    if kind == "classifier":
        with (DATA / "trec" / f"{split}.txt").open(encoding="utf-8") as lines:
            parted = [line.rstrip("\n").partition(" ") for line in itertools.islice(lines, count)]
        return [(text, label.partition(":")[0]) for label, _, text in parted]
    sides = []
    for name in ("seq.in", "seq.out"):
        with (DATA / "snips" / split / name).open(encoding="utf-8") as lines:
            sides.append([line.rstrip("\n") for line in itertools.islice(lines, count)])
    return list(zip(*sides, strict=True))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not beside the repository")
@pytest.mark.parametrize("architecture", ["classifier", "tagger"])
def test_a_slice_of_real_text_is_learned_better_than_by_its_most_frequent_label(
    tmp_path: Path, architecture: str
) -> None:
    pairs = {
        name: real_pairs(architecture, split, count)
        for name, split, count in (("train", "train", 800), ("valid", "test", 60))
    }
    files = {name: write(tmp_path, name, pairs[name]) for name in pairs}
    settings = ["tokenizer.kind=words", "training.epochs=6"]
    facts = train_at(tmp_path / "model", recipe_of(files, architecture, *settings))
    labels = [label for _, line in pairs["valid"] for label in line.split()]
    most_frequent = max(map(labels.count, labels)) / len(labels)
    assert facts.scores[0].value > 100 * most_frequent + 10
