import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seqcli.api import train as train_module
from seqcli.api.train import dry_run, train
from seqcli.api.translate import load_translator
from seqcli.bundle import TRAINING, WEIGHTS, read_bundle
from seqcli.errors import ConfigError, DataError, ModelError, OutputError, SeqcliError
from seqcli.tokenizers.subword import SubwordTokenizer
from seqcli.training.interruption import Interrupted
from tests.api.trainings import (
    Corpus,
    Recorder,
    ask_to_stop_at,
    contents,
    recipe_of,
    require_equal,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return read_bundle(folder).weights


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


def test_a_finished_training_is_resumed_without_a_change(tmp_path: Path, corpus: Corpus) -> None:
    recipe = recipe_of({**corpus, "test": corpus["valid"]}, "training.epochs=1")
    facts = train_at(tmp_path / "model", recipe)
    assert [score.set for score in facts.scores] == ["validation", "test", "test", "test"]
    assert train_at(tmp_path / "model", recipe, resume=True) == facts


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
    for state in (folder / TRAINING).glob("state-*.pt"):
        state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ModelError, match="no whole training state is left"):
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
        "data.subword_sampling=0",
        "tokenizer.kind=characters",
        "tokenizer.vocabulary_size=none",
        "target_tokenizer.kind=words",
        f"evaluation.metric={metric}",
        "training.epochs=3",
    )
    assert recipe.model.tie_embeddings == "target-output"
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
        "left out: 1 pair with an empty side, 1 with more than 200 tokens (data.max_length)"
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
    facts_of_dry_run = dry_run(recipe_of(corpus, "training.epochs=1"), device="cpu")
    for name in ("parameters", "encoder path", "decoder path", "FLOPs"):
        assert f"- {name}: {facts_of_dry_run[name]}\n" in card


def test_a_dry_run_tells_what_the_training_will_do_and_writes_nothing(
    tmp_path: Path, corpus: Corpus
) -> None:
    with Path(corpus["train"][0]).open("a") as source, Path(corpus["train"][1]).open("a") as target:
        source.write("\n")
        target.write("abc\n")
    recipe, recorder, before = (
        recipe_of(corpus, "training.epochs=1"),
        Recorder(),
        contents(tmp_path),
    )
    told = dry_run(recipe, tmp_path / "model", reporter=recorder, device="cpu")
    assert contents(tmp_path) == before
    assert not (tmp_path / "model").exists()
    assert recorder.messages[0].endswith("train.source: empty lines: 1 of 41 (2.4%)")
    facts = train_at(tmp_path / "model", recipe, recorder)
    assert told["pairs"] == "40 to train on, 6 to validate on"
    assert f"left out: {told['left out']}" in recorder.messages
    assert f"vocabulary: {told['vocabulary']}" in recorder.messages
    assert f"training: {told['training']}" in recorder.messages
    assert told["parameters"].startswith(f"{facts.parameters:,}: ")
    assert told["precision"] == "float32 on cpu"
    tokenizer = read_bundle(tmp_path / "model").source_tokenizer
    for side, path in zip(("source", "target"), corpus["train"], strict=True):
        lines = Path(path).read_text().splitlines()[:40]
        mean = sum(len(ids) + 1 for ids in tokenizer.encode_batch(lines)) / 40
        assert f"{mean:.1f} {side}" in told["lengths"]


def test_a_dry_run_finds_the_faults_that_a_training_would_find(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "evaluation.metric=loss")
    with pytest.raises(OutputError, match="exists already"):
        dry_run(recipe, tmp_path)
    with pytest.raises(DataError, match="cannot read nowhere"):
        dry_run(recipe_of({**corpus, "test": ("nowhere", "nowhere")}))
    for path in corpus["valid"]:
        Path(path).write_text("\n")
    with pytest.raises(DataError, match="none of the 1"):
        dry_run(recipe)


def test_a_device_that_is_not_there_is_named(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        train(recipe_of(corpus), tmp_path / "model", reporter=Recorder(), device="cuda")
    assert train_module.choose_device("auto") == torch.device("cpu")


def test_threads_are_as_asked(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of torch, and of the tokenizer that is learned or, later, found."""
    asked: list[int | None] = []
    make = SubwordTokenizer.__init__

    def noted(self: SubwordTokenizer, model: bytes, *, threads: int | None = None) -> None:
        asked.append(threads)
        make(self, model, threads=threads)

    monkeypatch.setattr(SubwordTokenizer, "__init__", noted)
    for step, resume in ((1, False), (3, True)):
        recorder = Recorder(ask_to_stop_at(step))  # soon: two threads wait on a busy machine
        with pytest.raises(Interrupted):
            train_at(tmp_path / "model", recipe_of(corpus), recorder, threads=2, resume=resume)
        assert torch.get_num_threads() == 2
        assert set(asked) == {2}
        asked.clear()
    dry_run(recipe_of(corpus), threads=2, device="cpu")
    assert set(asked) == {2}
