import errno
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seqcli.api import train as train_module
from seqcli.api.train import train
from seqcli.api.translate import load_translator
from seqcli.bundle import FACTS, TRAINING, WEIGHTS, Facts, read_bundle
from seqcli.errors import ConfigError, DataError, ModelError, OutputError, SeqcliError, UsageError
from seqcli.experiment import Recipe, resolve_recipe
from seqcli.training import trainer as trainer_module
from seqcli.training.interruption import Interrupted
from seqcli.training.report import Progress, ValidationReport

SETTINGS = (
    "data.subword_sampling=0.5",
    "tokenizer.vocabulary_size=40",
    "tokenizer.byte_fallback=false",
    "model.embedding_size=8",
    "model.encoder_size=8",
    "model.encoder_layers=1",
    "model.decoder_size=8",
    "model.dropout=0.2",
    "model.word_dropout=0.2",
    "training.epochs=2",
    "training.batch_tokens=60",
    "training.warmup_steps=4",
    "training.precision=float32",
)

Corpus = dict[str, tuple[str, str]]


class Recorder:
    """Keeps messages and validations, and calls `at_step` with the step of each progress."""

    def __init__(self, at_step: Callable[[int], None] = lambda step: None) -> None:
        self.messages: list[str] = []
        self.validations: list[ValidationReport] = []
        self._at_step = at_step

    def message(self, text: str) -> None:
        self.messages.append(text)

    def progress(self, progress: Progress) -> None:
        self._at_step(progress.step)

    def validated(self, report: ValidationReport) -> None:
        self.validations.append(report)


@pytest.fixture(autouse=True)
def one_thread_and_a_report_each_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Lines of letters and their reverse: 40 pairs to train on, 6 to validate on."""
    generator = random.Random(1)
    files = {}
    for name, count in (("train", 40), ("valid", 6)):
        lines = [
            " ".join("".join(generator.choices("abcdefgh", k=3)) for _ in range(3))
            for _ in range(count)
        ]
        files[name] = (str(tmp_path / f"{name}.source"), str(tmp_path / f"{name}.target"))
        Path(files[name][0]).write_text("".join(f"{line}\n" for line in lines))
        Path(files[name][1]).write_text("".join(f"{line[::-1]}\n" for line in lines))
    return files


def recipe_of(corpus: Corpus, *assignments: str) -> Recipe:
    return resolve_recipe(None, files=corpus, assignments=[*SETTINGS, *assignments], seed=5)


def train_at(folder: Path, recipe: Recipe, recorder: Recorder | None = None, **how: Any) -> Facts:
    torch.manual_seed(random.randrange(1000))  # the result depends on the recipe alone
    return train(recipe, folder, reporter=recorder or Recorder(), device="cpu", **how)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return read_bundle(folder).weights


def require_equal(folder: Path, other: Path) -> None:
    ours, others = weights_of(folder), weights_of(other)
    assert ours.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in ours.items())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def ask_to_stop_at(*steps: int) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step in steps:
            os.kill(os.getpid(), signal.SIGINT)

    return at_step


def fail_at(step_of_failure: int) -> Callable[[int], None]:
    def at_step(step: int) -> None:
        if step == step_of_failure:
            raise RuntimeError("killed")

    return at_step


def test_stopped_and_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, corpus: Corpus
) -> None:
    """With subwords sampled, units and words dropped; stops inside an epoch and at its end."""
    recipe, recorder = recipe_of(corpus), Recorder()
    train_at(tmp_path / "whole", recipe, recorder)
    batches_an_epoch = recorder.validations[0].step
    assert batches_an_epoch > 4
    for stop in (2, batches_an_epoch, batches_an_epoch + 3):
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(Interrupted) as raised:
            train_at(folder, recipe, Recorder(ask_to_stop_at(stop)))
        assert raised.value.exit_status == 130
        resumed = Recorder()
        train_at(folder, recipe, resumed, resume=True)
        assert "going on where the training was stopped" in resumed.messages
        require_equal(folder, tmp_path / "whole")


def test_killed_after_a_save_and_resumed_equals_uninterrupted(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.save_minutes=1e-9")  # a state after each step
    train_at(tmp_path / "whole", recipe)
    with pytest.raises(RuntimeError, match="killed"):
        train_at(tmp_path / "killed", recipe, Recorder(fail_at(5)))
    steps: list[int] = []
    train_at(tmp_path / "killed", recipe, Recorder(steps.append), resume=True)
    assert steps[0] == 5  # the last saved state is that of the step before
    require_equal(tmp_path / "killed", tmp_path / "whole")


def test_a_second_ctrl_c_is_immediate_and_the_folder_can_still_be_resumed(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.save_minutes=1e-9")

    def ask_twice(step: int) -> None:
        ask_to_stop_at(3)(step)
        ask_to_stop_at(3)(step)

    with pytest.raises(KeyboardInterrupt):
        train_at(tmp_path / "stopped", recipe, Recorder(ask_twice))
    train_at(tmp_path / "stopped", recipe, resume=True)
    train_at(tmp_path / "whole", recipe)
    require_equal(tmp_path / "stopped", tmp_path / "whole")


def test_the_same_recipe_gives_the_same_model_and_another_seed_another(
    tmp_path: Path, corpus: Corpus
) -> None:
    train_at(tmp_path / "a", recipe_of(corpus, "training.epochs=1"))
    train_at(tmp_path / "b", recipe_of(corpus, "training.epochs=1"))
    train_at(tmp_path / "c", recipe_of(corpus, "training.epochs=1", "seed=6"))
    require_equal(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        require_equal(tmp_path / "a", tmp_path / "c")


def test_resume_with_another_recipe_names_the_keys_with_both_values(
    tmp_path: Path, corpus: Corpus
) -> None:
    with pytest.raises(Interrupted):
        train_at(tmp_path / "model", recipe_of(corpus), Recorder(ask_to_stop_at(2)))
    other = recipe_of(corpus, "model.dropout=0.35", "data.max_length=50", "decoding.beam_width=2")
    with pytest.raises(ConfigError) as raised:
        train_at(tmp_path / "model", other, resume=True)
    assert "model.dropout (0.2 before, 0.35 now)" in raised.value.what
    assert "data.max_length (200 before, 50 now)" in raised.value.what
    assert "decoding.beam_width (5 before, 2 now)" in raised.value.what
    assert "seed" not in raised.value.what


@pytest.mark.parametrize("exists", [True, False])
def test_resume_without_a_training_simply_starts(
    tmp_path: Path, corpus: Corpus, exists: bool
) -> None:
    folder = tmp_path / "inner" / "model"
    if exists:
        folder.mkdir(parents=True)
    train_at(folder, recipe_of(corpus, "training.epochs=1"), resume=True)
    assert (folder / WEIGHTS).is_file()


def test_a_finished_training_is_resumed_without_a_change(tmp_path: Path, corpus: Corpus) -> None:
    recipe = recipe_of({**corpus, "test": corpus["valid"]}, "training.epochs=1")
    facts = train_at(tmp_path / "model", recipe)
    assert [score.set for score in facts.scores] == ["validation", "test", "test", "test"]
    assert train_at(tmp_path / "model", recipe, resume=True) == facts


def test_an_existing_folder_is_replaced_only_if_it_is_a_model_and_one_asks(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.epochs=1")
    folder = tmp_path / "model"
    train_at(folder, recipe)
    before = contents(folder)
    with pytest.raises(OutputError, match="exists already") as raised:
        train_at(folder, recipe)
    assert "--resume" in raised.value.fix
    assert "--overwrite" in raised.value.fix
    with pytest.raises(UsageError, match="do not go together"):
        train_at(folder, recipe, resume=True, overwrite=True)
    assert contents(folder) == before
    (folder / "stale").mkdir()
    train_at(folder, recipe, overwrite=True)
    assert not (folder / "stale").exists()


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_that_is_no_model_is_left_alone(
    tmp_path: Path, corpus: Corpus, overwrite: bool
) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is not a model's folder" if overwrite else "exists"):
        train_at(folder, recipe_of(corpus), overwrite=overwrite)
    assert contents(folder) == {"chapter.txt": b"years of work"}
    with pytest.raises(OutputError, match="is a file"):
        train_at(folder / "chapter.txt", recipe_of(corpus), overwrite=overwrite)


@pytest.mark.parametrize(
    ("name", "side", "content", "message"),
    [
        ("train", 0, None, "cannot read .*train.source"),
        ("valid", 1, None, "cannot read .*valid.target"),
        ("train", 1, "a\nb\n", "has 40 lines but .*train.target has 2"),
        ("valid", 1, "a\n", "has 6 lines but .*valid.target has 1"),
        ("test", 0, "a\n", "has 1 lines but"),
        ("train", 0, "", "train.source is empty"),
        ("test", 1, "", "is empty"),
        ("train", 0, "\n" * 40, "none of the 40 training pairs can be used"),
    ],
)
def test_a_fault_of_the_data_shows_before_an_existing_model_is_deleted(
    tmp_path: Path, corpus: Corpus, name: str, side: int, content: str | None, message: str
) -> None:
    folder = tmp_path / "model"
    (folder / TRAINING).mkdir(parents=True)
    (folder / FACTS).write_text("a model that was dear")
    before = contents(folder)
    test = tmp_path / "test.source", tmp_path / "test.target"
    for copy, original in zip(test, corpus["valid"], strict=True):
        copy.write_text(Path(original).read_text())
    files = {**corpus, "test": (str(test[0]), str(test[1]))}
    recipe = recipe_of(files, "tokenizer.vocabulary_size=none")
    broken = Path(files[name][side])
    broken.unlink() if content is None else broken.write_text(content)
    with pytest.raises(DataError, match=message):
        train_at(folder, recipe, overwrite=True)
    assert contents(folder) == before


def test_a_vocabulary_that_the_text_does_not_allow_deletes_nothing_either(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / FACTS).write_text("a model that was dear")
    with pytest.raises(ConfigError, match="9000 is too large"):
        train_at(folder, recipe_of(corpus, "tokenizer.vocabulary_size=9000"), overwrite=True)
    assert contents(folder) == {FACTS: b"a model that was dear"}


def test_a_full_disk_ends_the_training_without_a_half_written_file(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus)
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(2)))
    before = contents(folder)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        train_at(folder, recipe, resume=True)
    monkeypatch.undo()
    assert contents(folder) == before
    train_at(folder, recipe, resume=True)
    train_at(tmp_path / "whole", recipe)
    require_equal(folder, tmp_path / "whole")


def test_a_broken_state_is_a_model_error(tmp_path: Path, corpus: Corpus) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus)
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(2)))
    state = folder / TRAINING / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"state\.pt is not a whole training state"):
        train_at(folder, recipe, resume=True)


def test_a_diverging_training_stops_with_advice(tmp_path: Path, corpus: Corpus) -> None:
    recipe = recipe_of(corpus, "training.learning_rate=1e6", "training.warmup_steps=0")
    with pytest.raises(SeqcliError, match="the loss became") as raised:
        train_at(tmp_path / "model", recipe)
    assert "training.learning_rate" in raised.value.fix
    assert not (tmp_path / "model" / WEIGHTS).exists()


@pytest.mark.parametrize("metric", ["bleu", "chrf", "accuracy", "per", "loss"])
def test_every_metric_selects_with_a_tokenizer_for_each_side(
    tmp_path: Path, corpus: Corpus, metric: str
) -> None:
    """Characters in, words out, as for grapheme to phoneme."""
    recipe = recipe_of(
        {**corpus, "test": corpus["valid"]},
        "tokenizer.kind=characters",
        "tokenizer.vocabulary_size=none",
        "target_tokenizer.kind=words",
        f"evaluation.metric={metric}",
        "training.epochs=3",
    )
    assert recipe.model.tie_embeddings == "target"
    recorder = Recorder()
    facts = train_at(tmp_path / "model", recipe, recorder)
    scores = [report.validation.score for report in recorder.validations]
    best = min(scores) if metric in ("loss", "per") else max(scores)
    assert recorder.validations[-1].best_score == best
    published = facts.scores[0].value
    assert published <= best if metric in ("loss", "per") else published >= best
    assert facts.tokenizers == ["source", "target"]
    lines = list(load_translator(str(tmp_path / "model")).translate(["abc", "", "def gh"]))
    assert [bool(line.source) for line in lines] == [True, False, True]
    assert len(facts.scores) == (2 if metric in ("accuracy", "per") else 4)


def test_without_a_validation_set_pairs_are_held_out(tmp_path: Path, corpus: Corpus) -> None:
    recorder = Recorder()
    recipe = recipe_of({"train": corpus["train"]}, "training.epochs=1")
    train_at(tmp_path / "model", recipe, recorder)
    assert "no validation set was given: 2 random training pairs are held out" in recorder.messages
    assert "38 training pairs" in recorder.messages


def test_one_pair_alone_cannot_be_split(tmp_path: Path, corpus: Corpus) -> None:
    for path in corpus["train"]:
        Path(path).write_text("abc\n")
    with pytest.raises(DataError, match="has only one line") as raised:
        train_at(tmp_path / "model", recipe_of({"train": corpus["train"]}))
    assert "--valid" in raised.value.fix


def test_a_huge_line_is_left_out_and_counted(tmp_path: Path, corpus: Corpus) -> None:
    with Path(corpus["train"][0]).open("a") as source, Path(corpus["train"][1]).open("a") as target:
        source.write("abc def " * 12_500 + "\n\n")
        target.write("abc\nabc\n")
    recorder = Recorder()
    train_at(tmp_path / "model", recipe_of(corpus, "training.epochs=1"), recorder)
    assert (
        "left out: 1 pairs with an empty side, 1 with more than 200 tokens (data.max_length)"
        in recorder.messages
    )
    assert "40 training pairs" in recorder.messages


def test_the_card_and_the_facts_say_what_was_done(tmp_path: Path, corpus: Corpus) -> None:
    facts = train_at(tmp_path / "model", recipe_of(corpus, "training.epochs=1"))
    assert facts.name == "model"
    assert facts.parameters == sum(t.numel() for t in weights_of(tmp_path / "model").values())
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"{facts.parameters:,} parameters" in card
    assert f"BLEU: {facts.scores[0].value:.2f} (`{facts.scores[0].signature}`)" in card
    assert corpus["train"][0] in card


def test_a_device_that_is_not_there_is_named(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        train(recipe_of(corpus), tmp_path / "model", reporter=Recorder(), device="cuda")
    assert train_module.choose_device("auto") == torch.device("cpu")


def test_threads_are_as_asked(tmp_path: Path, corpus: Corpus) -> None:
    train_at(tmp_path / "model", recipe_of(corpus, "training.epochs=1"), threads=2)
    assert torch.get_num_threads() == 2
