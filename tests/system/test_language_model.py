"""From text to a language model, its scores and its lines, by the command and by functions."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqcli.api.train import train
from seqcli.bundle import load_tokenizers, read_bundle, read_facts
from seqcli.cli.main import main
from seqcli.experiment import resolve_recipe
from seqcli.inspection.loading import load_network
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers import EOS
from seqcli.training import trainer
from seqcli.training.interruption import Interrupted
from tests.api.trainings import Recorder, ask_to_stop_at

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "multi30k"
EIGHT = [
    "one for sorrow",
    "two for joy",
    "three for a girl",
    "four for a boy",
    "five for silver",
    "six for gold",
    "seven for a secret never to be told",
    "",
    "eight for a wish",
]
SETTINGS = [
    "tokenizer.kind=words",
    "model.embedding_size=16",
    "model.decoder.size=24",
    "model.dropout=0",
    "model.word_dropout=0",
    "training.warmup_steps=0",
    "training.precision=float32",
]
LEARNED_BY_HEART = [
    "training.epochs=60",
    "training.learning_rate=0.02",
    "training.batch_tokens=100",
    "training.ema_decay=0",
]


@pytest.fixture(autouse=True)
def one_thread_and_a_report_each_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_REPORTS", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def written(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def train_at(folder: Path, text: str, *settings: str, **how: Any) -> None:
    recipe = resolve_recipe(
        None,
        files={"train": (text,), "valid": (text,)},
        assignments=[*SETTINGS, *settings],
        architecture="language-model",
    )
    train(recipe, folder, device="cpu", **how)


def test_eight_lines_are_learned_by_heart_and_gone_on_with_from_their_first_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, model = written(tmp_path / "text", EIGHT), str(tmp_path / "lm")
    options = [*SETTINGS, *LEARNED_BY_HEART]
    command = ["train", "--arch", "language-model", "--train-text", text, "--valid-text", text]
    command += ["--test-text", text, "-o", model, "--device", "cpu"]
    assert main([*command, *itertools.chain(*(["--set", option] for option in options))]) == 0
    capsys.readouterr()

    full = [line for line in EIGHT if line]
    beginnings = written(tmp_path / "beginnings", [line.split()[0] for line in full])
    assert main(["generate", model, beginnings, "--greedy"]) == 0
    assert capsys.readouterr() == ("".join(f"{line}\n" for line in full), "")

    assert main(["score", model, text, "--format", "tsv"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    nats_per_token = -sum(float(row[1]) for row in rows) / sum(int(row[2]) for row in rows)
    validation, test = read_facts(Path(model)).scores
    assert (test.name, test.set) == ("perplexity", "test")
    assert math.log(test.value) == pytest.approx(nats_per_token, abs=1e-3)
    assert f"{nats_per_token:.3f}" in test.signature
    assert f"perplexity {test.value:.2f} a token" in err
    assert validation.value < 0.6  # of which nearly all is the choice of the first word


@pytest.mark.parametrize(
    "settings",
    [
        *([f"cell={cell}", "state_dropout=0.2"] for cell in CELLS),
        *([f"stack={stack}", "layers=3", "output_dropout=0.2"] for stack in STACKS),
    ],
    ids=lambda settings: settings[0],
)
def test_every_choice_of_the_stack_trains_stops_resumes_and_loads(
    settings: list[str], tmp_path: Path
) -> None:
    text = written(tmp_path / "text", EIGHT * 3)
    chosen = [*(f"model.decoder.{setting}" for setting in settings), "training.batch_tokens=40"]
    chosen.append("training.epochs=1")
    train_at(tmp_path / "whole", text, *chosen)
    with pytest.raises(Interrupted):
        train_at(tmp_path / "stopped", text, *chosen, reporter=Recorder(ask_to_stop_at(2)))
    train_at(tmp_path / "stopped", text, *chosen, resume=True)
    whole, resumed = (read_bundle(tmp_path / part).weights for part in ("whole", "stopped"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    loaded = load_network(str(tmp_path / "whole")).model
    for name, parameter in loaded.named_parameters():
        assert torch.equal(parameter, whole[name])


def test_embeddings_start_from_pretrained_vectors(tmp_path: Path) -> None:
    text = written(tmp_path / "text", EIGHT)
    values = torch.nn.functional.normalize(torch.randn(2, 16), dim=1)
    rows = (
        " ".join([word, *(f"{value:.6f}" for value in row)])
        for word, row in zip(("silver", "gold"), values.tolist(), strict=True)
    )
    vectors = written(tmp_path / "vectors", list(rows))
    recorder = Recorder()
    settings = ["training.epochs=1", "training.learning_rate=1e-12", "training.weight_decay=0"]
    train_at(tmp_path / "lm", text, *settings, f"data.source_vectors={vectors}", reporter=recorder)
    assert any(message.startswith("source vectors: 2 of ") for message in recorder.messages)
    loaded = load_network(str(tmp_path / "lm"))
    vocabulary = loaded.task.tokenizers["shared"].vocabulary
    ids = [
        next(i for i, piece in enumerate(vocabulary.pieces) if word in piece)
        for word in ("silver", "gold")
    ]
    torch.testing.assert_close(loaded.model.embedding.weight[ids], values, atol=1e-4, rtol=0)


@pytest.mark.skipif(not DATA.is_dir(), reason="Multi30k is not beside the repository")
def test_captions_are_predicted_better_than_by_the_frequencies_of_their_tokens(
    tmp_path: Path,
) -> None:
    """The second way: a model of single tokens, counted and smoothed by hand."""
    with (DATA / "train.en").open(encoding="utf-8") as lines:
        text = [line.strip() for line in itertools.islice(lines, 1500)]
    files = {
        "train": (written(tmp_path / "train", text[:1200]),),
        "valid": (written(tmp_path / "valid", text[1200:1300]),),
        "test": (written(tmp_path / "test", text[1300:]),),
    }
    settings = [
        "tokenizer.vocabulary_size=600",
        "model.embedding_size=32",
        "model.decoder.size=64",
        "model.dropout=0.1",
        "training.epochs=4",
        "training.batch_tokens=500",
        "training.learning_rate=0.01",
        "training.warmup_steps=10",
        "training.ema_decay=0.9",
        "training.precision=float32",
    ]
    recipe = resolve_recipe(None, files=files, assignments=settings, architecture="language-model")
    facts = train(recipe, tmp_path / "lm", device="cpu")
    perplexity = facts.scores[-1].value

    tokenizer = load_tokenizers(tmp_path / "lm")["shared"]
    counts = Counter(token for ids in tokenizer.encode_batch(text[:1200]) for token in [*ids, EOS])
    tested = [token for ids in tokenizer.encode_batch(text[1300:]) for token in [*ids, EOS]]
    seen = sum(counts.values()) + len(tokenizer.vocabulary)
    unigram_nats = -sum(math.log((counts[token] + 1) / seen) for token in tested) / len(tested)
    assert perplexity < 0.6 * math.exp(unigram_nats)
