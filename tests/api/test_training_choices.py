"""Every way to train: it learns, it goes on bit for bit after a stop, and its log says all once."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from seqcli.bundle import TRAINING
from seqcli.errors import ConfigError, SeqcliError
from seqcli.training.interruption import Interrupted
from seqcli.training.log import LOG, Score, Update, read_log
from seqcli.training.schedule import FLOOR
from tests.api.trainings import (
    Corpus,
    Recorder,
    ask_to_stop_at,
    recipe_of,
    require_equal,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

PLATEAU = (
    "training.schedule=plateau",
    "training.plateau_patience=1",
    "training.patience=0",
    "training.warmup_steps=0",
)
CHOICES = [
    ("training.optimizer=adam", "training.schedule=linear", "training.average=last"),
    ("training.optimizer=sgd", "training.learning_rate=0.1", "training.consistency=2"),
    ("evaluation.metric=loss", "training.learning_rate=0.15", *PLATEAU),
]


def logged(folder: Path) -> list[dict[str, Any]]:
    """The log without what a clock has measured."""
    names = ("step", "epoch", "loss", "learning_rate", "gradient_norm", "metric", "score")
    return [
        {name: getattr(record, name) for name in names if hasattr(record, name)}
        for record in read_log(folder / TRAINING / LOG)
    ]


@pytest.mark.parametrize("settings", CHOICES, ids=" ".join)
def test_stopped_and_resumed_equals_uninterrupted_in_weights_and_log(
    tmp_path: Path, corpus: Corpus, settings: tuple[str, ...]
) -> None:
    recipe = recipe_of(corpus, "training.epochs=3", *settings)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train_at(whole, recipe)
    updates = [each for each in read_log(whole / TRAINING / LOG) if isinstance(each, Update)]
    first, last = (fmean(each.loss for each in updates if each.epoch == epoch) for epoch in (1, 3))
    assert last < first
    for stop in (2, len(updates) - 2):
        with pytest.raises(Interrupted):
            train_at(stopped, recipe, Recorder(ask_to_stop_at(stop)), resume=stopped.exists())
    train_at(stopped, recipe, resume=True)
    assert logged(stopped) == logged(whole)
    require_equal(stopped, whole)


def test_no_step_stands_twice_in_the_log_of_a_training_that_was_killed(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus)

    def fail(step: int) -> None:
        if step == 6:
            raise RuntimeError("killed")

    train_at(tmp_path / "whole", recipe)
    with pytest.raises(Interrupted):
        train_at(tmp_path / "killed", recipe, Recorder(ask_to_stop_at(3)))
    with pytest.raises(RuntimeError, match="killed"):
        train_at(tmp_path / "killed", recipe, Recorder(fail), resume=True)
    assert logged(tmp_path / "killed")[-1]["step"] == 6  # beyond the last saved state
    train_at(tmp_path / "killed", recipe, resume=True)
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")


def test_the_rate_falls_when_validations_bring_nothing_better(
    tmp_path: Path, corpus: Corpus
) -> None:
    settings = ("evaluation.metric=loss", "training.learning_rate=0.3", *PLATEAU)
    recipe = recipe_of(corpus, "training.epochs=5", *settings)
    train_at(tmp_path / "model", recipe)
    records, drops, best = read_log(tmp_path / "model" / TRAINING / LOG), 0, float("inf")
    for record in records:
        if isinstance(record, Score):
            drops += record.score >= best
            best = min(best, record.score)
        else:
            assert record.learning_rate == pytest.approx(0.3 * max(FLOOR, 0.5**drops))
    assert drops > 0


def test_other_settings_of_the_same_training_are_taken_with_override(
    tmp_path: Path, corpus: Corpus
) -> None:
    """Another optimizer begins without the moments of the first, another mean with what is kept."""
    before = recipe_of(corpus, "training.epochs=3", "training.average_best=2")
    recorder = Recorder()
    train_at(tmp_path / "whole", before, recorder)
    first_epoch = recorder.validations[0].step
    with pytest.raises(Interrupted):
        train_at(tmp_path / "model", before, Recorder(ask_to_stop_at(first_epoch + 1)))
    now = recipe_of(
        corpus,
        "training.epochs=3",
        "training.optimizer=sgd",
        "training.average=last",
        "training.average_best=3",
    )
    recorder = Recorder()
    train_at(tmp_path / "model", now, recorder, resume=True, override=True)
    assert any("the mean of the 3 last checkpoints" in message for message in recorder.messages)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.optimizer=adamm", "Choose one of adamw, adam, sgd"),
        ("training.schedule=linaer", "did you mean 'linear'"),
        ("training.average=first", "Choose one of best, last"),
        ("training.momentum=1", "training.momentum must be from 0 to less than 1"),
        ("training.plateau_factor=1.5", "training.plateau_factor must be from 0 to less than 1"),
        ("training.plateau_patience=0", "training.plateau_patience must be greater than 0"),
        ("training.momentum=0.5", "training.momentum has no effect where training.optimizer is"),
        ("training.plateau_factor=0.3", "training.plateau_factor has no effect where training.s"),
        ("training.plateau_patience=5", "or set training.schedule to 'plateau'"),
        ("training.consistency=-1", "training.consistency must be a number that is not negative"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_right_ones(
    corpus: Corpus, setting: str, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        recipe_of(corpus, setting)
    assert message in f"{raised.value.what} {raised.value.fix}"


def test_a_plateau_that_early_stopping_would_forestall_is_refused(corpus: Corpus) -> None:
    settings = ("training.schedule=plateau", "training.plateau_patience=3")
    with pytest.raises(SeqcliError, match=r"training\.patience is 3") as raised:
        recipe_of(corpus, "training.patience=3", *settings)
    assert "before its rate is lowered once" in raised.value.why
    recipe_of(corpus, "training.patience=0", *settings)
    recipe_of(corpus, "training.patience=4", *settings)
