"""A stopped training that goes on with other settings, or from a state that is not the newest."""

from pathlib import Path

import pytest

from seqcli.bundle import CARD, TRAINING
from seqcli.errors import ConfigError, UsageError
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


def test_with_override_new_settings_of_the_training_are_taken_and_named(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder = tmp_path / "model"
    with pytest.raises(Interrupted):
        train_at(folder, recipe_of(corpus), Recorder(ask_to_stop_at(2)))
    new = recipe_of(
        corpus,
        "training.epochs=1",
        "training.learning_rate=0.0005",
        "evaluation.metric=loss",
        "decoding.beam_width=2",
    )
    with pytest.raises(ConfigError, match="the settings differ") as raised:
        train_at(folder, new, resume=True)
    assert "--override takes the new ones" in raised.value.fix
    recorder = Recorder()
    train_at(folder, new, recorder, resume=True, override=True)
    assert "going on with another training.epochs: 2 before, 1 now" in recorder.messages
    assert 'going on with another evaluation.metric: "bleu" before, "loss" now' in recorder.messages
    assert "going on with another decoding.beam_width: 5 before, 2 now" in recorder.messages
    assert [report.validation.metric for report in recorder.validations] == ["loss"]
    assert [report.epoch for report in recorder.validations] == [1]
    train_at(folder, new, resume=True)  # they are the training's own now
    with pytest.raises(ConfigError, match=r"training\.epochs \(1 before, 2 now\)"):
        train_at(folder, recipe_of(corpus), resume=True)


@pytest.mark.parametrize("step", [2, None])
def test_a_training_made_longer_ends_where_the_long_one_ends(
    tmp_path: Path, corpus: Corpus, step: int | None
) -> None:
    """With a schedule that does not ask for the length; stopped inside an epoch, or finished."""
    settings = ["training.schedule=constant", "training.warmup_steps=1", "training.average_best=1"]
    short, long = (recipe_of(corpus, *settings, f"training.epochs={n}") for n in (1, 2))
    if step is None:
        train_at(tmp_path / "model", short)
    else:
        with pytest.raises(Interrupted):
            train_at(tmp_path / "model", short, Recorder(ask_to_stop_at(step)))
    train_at(tmp_path / "model", long, resume=True, override=True)
    train_at(tmp_path / "whole", long)
    require_equal(tmp_path / "model", tmp_path / "whole")


def test_the_card_tells_of_the_model_at_the_end_and_not_before(
    tmp_path: Path, corpus: Corpus
) -> None:
    """Of a training that time ends at its first step, that is over, and that is made longer."""
    files, card = {**corpus, "test": corpus["valid"]}, tmp_path / "model" / CARD
    train_at(tmp_path / "model", recipe_of(files, "training.max_minutes=1e-6"))
    assert not card.exists()
    for epochs in (1, 2):
        recipe = recipe_of(files, f"training.epochs={epochs}")
        facts = train_at(tmp_path / "model", recipe, resume=True, override=True)
        assert [score.set for score in facts.scores] == ["validation", *["test"] * 3]
        for score in facts.scores:
            assert f"- {score.set} {score.name}: {score.value:.2f} (" in card.read_text()


def test_scores_of_another_metric_are_not_compared(tmp_path: Path, corpus: Corpus) -> None:
    """Any BLEU is better than no loss can be, as the lower loss is the better one."""
    folder = tmp_path / "model"
    train_at(folder, recipe_of(corpus, "training.epochs=1", "evaluation.metric=chrf"))
    recorder = Recorder()
    recipe = recipe_of(corpus, "training.epochs=2", "evaluation.metric=loss")
    facts = train_at(folder, recipe, recorder, resume=True, override=True)
    (report,) = recorder.validations
    assert report.is_best
    assert report.best_score == report.validation.score == facts.scores[0].value


def test_fewer_epochs_than_are_done_are_refused_and_not_recorded(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus)
    train_at(folder, recipe)
    before = contents(folder)
    fewer = recipe_of(corpus, "training.epochs=1", "training.learning_rate=0.01")
    with pytest.raises(
        ConfigError, match=r"training\.epochs is 1, but 2 epochs are done"
    ) as raised:
        train_at(folder, fewer, resume=True, override=True)
    assert raised.value.fix.startswith("Give 2 or more")
    assert contents(folder) == before
    train_at(folder, recipe, resume=True)


def test_a_finished_training_is_scored_on_another_test_set_by_override(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder = tmp_path / "model"
    first, second = ({**corpus, "test": corpus[name]} for name in ("valid", "train"))
    train_at(folder, recipe_of(first, "training.epochs=1"))
    recipe = recipe_of(second, "training.epochs=1")
    with pytest.raises(ConfigError, match=r"data\.test") as raised:
        train_at(folder, recipe, resume=True)
    assert "--override takes the new ones" in raised.value.fix
    facts = train_at(folder, recipe, resume=True, override=True)
    alone = train_at(tmp_path / "alone", recipe)
    assert facts.scores == alone.scores
    assert facts.recipe == alone.recipe
    assert f"- tested on: {', '.join(corpus['train'])}" in (folder / CARD).read_text()
    require_equal(folder, tmp_path / "alone")


@pytest.mark.parametrize(
    "assignment",
    ["model.dropout=0.35", "tokenizer.vocabulary_size=41", "seed=6", "training.batch_tokens=70"],
)
def test_what_a_state_is_made_of_cannot_be_overridden(
    tmp_path: Path, corpus: Corpus, assignment: str
) -> None:
    folder, key = tmp_path / "model", assignment.partition("=")[0]
    with pytest.raises(Interrupted):
        train_at(folder, recipe_of(corpus), Recorder(ask_to_stop_at(2)))
    before = contents(folder)
    other = recipe_of(corpus, "training.epochs=1", assignment)
    with pytest.raises(ConfigError, match="the settings differ") as raised:
        train_at(folder, other, resume=True, override=True)
    assert f"{key} (" in raised.value.what
    assert "training.epochs" not in raised.value.what
    assert "--override" not in raised.value.fix
    assert contents(folder) == before


def test_how_long_a_training_may_take_is_free_to_change(tmp_path: Path, corpus: Corpus) -> None:
    folder = tmp_path / "model"
    with pytest.raises(Interrupted):
        train_at(folder, recipe_of(corpus, "training.max_minutes=9"), Recorder(ask_to_stop_at(2)))
    train_at(folder, recipe_of(corpus, "training.max_minutes=10"), resume=True)
    train_at(tmp_path / "whole", recipe_of(corpus))
    require_equal(folder, tmp_path / "whole")


def test_override_without_resume_is_wrong_use(tmp_path: Path, corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="--override goes with --resume"):
        train_at(tmp_path / "model", recipe_of(corpus), override=True)
    assert not (tmp_path / "model").exists()


def test_instead_of_a_truncated_state_the_one_before_is_gone_on_with(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.save_minutes=1e-9")
    train_at(tmp_path / "whole", recipe)
    with pytest.raises(Interrupted):
        train_at(tmp_path / "cut", recipe, Recorder(ask_to_stop_at(4)))
    newest = max((tmp_path / "cut" / TRAINING).glob("state-*.pt"))
    newest.write_bytes(newest.read_bytes()[:5000])
    steps: list[int] = []
    recorder = Recorder(steps.append)
    train_at(tmp_path / "cut", recipe, recorder, resume=True)
    (told,) = [message for message in recorder.messages if "damaged" in message]
    assert told.startswith(f"{newest.name} is damaged")
    assert told.endswith(f"the state before it, state-{steps[0] - 1:08d}.pt")
    assert newest.name == f"state-{steps[0]:08d}.pt"
    require_equal(tmp_path / "cut", tmp_path / "whole")
