"""A slice of real data: captions of Multi30k, where they lie beside the repository."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seqcli.api.train import train
from seqcli.api.translate import load_translator
from seqcli.experiment import resolve_recipe
from seqcli.training.report import Progress, ValidationReport

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "multi30k"
SETTINGS = [
    "tokenizer.vocabulary_size=600",
    "model.embedding_size=32",
    "model.encoder.size=32",
    "model.encoder.layers=1",
    "model.decoder.size=64",
    "model.dropout=0",
    "training.epochs=2",
    "training.batch_tokens=500",
    "training.learning_rate=0.01",
    "training.warmup_steps=10",
    "training.ema_decay=0.9",
    "training.precision=float32",
    "evaluation.metric=loss",
]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="Multi30k is not beside the repository")


class Recorder:
    def __init__(self) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []

    def message(self, text: str) -> None: ...

    def progress(self, progress: Progress) -> None:
        self.losses.append(progress.nats_per_token)

    def validated(self, report: ValidationReport) -> None:
        self.scores.append(report.validation.score)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def head(folder: Path, name: str, count: int) -> tuple[str, str]:
    paths = []
    for language in ("de", "en"):
        path = folder / f"{name}.{language}"
        with (DATA / path.name).open(encoding="utf-8") as lines:
            path.write_text("".join(itertools.islice(lines, count)), encoding="utf-8")
        paths.append(str(path))
    return paths[0], paths[1]


def test_the_loss_falls_and_n_lines_give_n_lines(tmp_path: Path) -> None:
    files = {"train": head(tmp_path, "train", 1000), "valid": head(tmp_path, "val", 40)}
    recipe = resolve_recipe(None, files=files, assignments=SETTINGS)
    recorder = Recorder()
    facts = train(recipe, tmp_path / "model", reporter=recorder, device="cpu")
    vocabulary_size = 600
    assert recorder.losses[-1] < recorder.losses[0]
    assert recorder.scores[1] < recorder.scores[0] < math.log(vocabulary_size)
    assert facts.scores[0].value <= recorder.scores[1]

    sources = Path(files["valid"][0]).read_text(encoding="utf-8").splitlines()[:10]
    sources.insert(5, "")
    translations = list(load_translator(str(tmp_path / "model")).translate(sources))
    assert [translation.source for translation in translations] == sources
    assert translations[5].text == ""
