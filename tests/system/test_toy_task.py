"""From text to a trained model and its answers, by the public functions and by the command."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seqcli.api.train import train
from seqcli.api.translate import load_translator
from seqcli.cli.main import main
from seqcli.cli.training_display import QuietReporter
from seqcli.experiment import resolve_recipe

SECONDS_OF_PROCESSOR = 30
SETTINGS = [
    "tokenizer.kind=characters",
    "tokenizer.byte_fallback=false",
    "model.embedding_size=32",
    "model.encoder.size=48",
    "model.encoder.layers=1",
    "model.decoder.size=64",
    "model.dropout=0",
    "model.word_dropout=0",
    "training.epochs=16",
    "training.batch_tokens=400",
    "training.learning_rate=0.01",
    "training.warmup_steps=20",
    "training.label_smoothing=0",
    "training.ema_decay=0.9",
    "training.precision=float32",
    "evaluation.metric=accuracy",
]

Files = dict[str, tuple[str, str]]


@pytest.fixture
def reversals(tmp_path: Path) -> Files:
    """Distinct strings of 1 to 6 letters and digits, and the same from right to left."""
    generator = random.Random(2)
    words: set[str] = set()
    while len(words) < 2200:
        words.add("".join(generator.choices("abcdef0123", k=generator.randint(1, 6))))
    lines = sorted(words)
    generator.shuffle(lines)
    files = {}
    for name, part in (
        ("train", lines[:2000]),
        ("valid", lines[2000:2100]),
        ("test", lines[2100:]),
    ):
        files[name] = (str(tmp_path / f"{name}.source"), str(tmp_path / f"{name}.target"))
        Path(files[name][0]).write_text("".join(f"{line}\n" for line in part))
        Path(files[name][1]).write_text("".join(f"{line[::-1]}\n" for line in part))
    return files


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_reversing_short_strings_is_learned(tmp_path: Path, reversals: Files) -> None:
    start = time.process_time()
    recipe = resolve_recipe(None, files=reversals, assignments=SETTINGS)
    facts = train(recipe, tmp_path / "model", reporter=QuietReporter(), device="cpu")
    assert time.process_time() - start < SECONDS_OF_PROCESSOR

    sources = Path(reversals["test"][0]).read_text().splitlines()
    translator = load_translator(str(tmp_path / "model"))
    answers = [translation.text for translation in translator.translate(sources)]
    right = sum(answer == source[::-1] for answer, source in zip(answers, sources, strict=True))
    accuracy = 100 * right / len(sources)
    assert accuracy >= 95
    assert {score.set: score.value for score in facts.scores}["test"] == pytest.approx(accuracy)


def test_the_command_talks_on_standard_error_and_leaves_a_model(
    tmp_path: Path, reversals: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    arguments = ["-o", str(model), "--train", *reversals["train"], "--valid", *reversals["valid"]]
    for setting in (*SETTINGS, "training.epochs=1"):
        arguments += ["--set", setting]
    assert main(["train", *arguments, "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "2000 training pairs\n" in printed.err
    assert "epoch 1/1  step " in printed.err
    assert "nats/token" in printed.err
    assert "accuracy" in printed.err
    assert "(new best)" in printed.err
    assert "\x1b" not in printed.err

    assert main(["translate", str(model), reversals["test"][0]]) == 0
    assert capsys.readouterr().out.count("\n") == 100
