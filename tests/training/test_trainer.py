"""The loop on a model of a few numbers; `tests/api/test_train.py` runs it on real ones."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seqcli.data.batch import PairBatch
from seqcli.errors import ModelError, SeqcliError
from seqcli.training import trainer as trainer_module
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.interruption import Interrupted
from seqcli.training.report import ValidationReport
from seqcli.training.trainer import Trainer
from tests.training.bigrams import PendingList
from tests.training.toy_trainings import (
    BATCHES,
    CONFIG,
    EXAMPLES,
    Recorder,
    Toy,
    make_trainer,
    send_at,
)


@pytest.fixture(autouse=True)
def report_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", 0.0)


def test_patience_is_not_tried_in_the_warm_up(tmp_path: Path) -> None:
    """16 epochs of 4 steps: the warm-up, cut to 8 of 64 steps, covers the first validation."""
    config = TrainingConfig(epochs=16, patience=1, warmup_steps=400, precision="float32")
    recorder, scores = Recorder(), iter([3.0] + [2.0] * 20)
    make_trainer(tmp_path, config=config, recorder=recorder, score=lambda: next(scores)).train()
    assert [report.validations_since_best for report in recorder.validations] == [0, 1]
    longer = TrainingConfig(epochs=24, patience=1, warmup_steps=400, precision="float32")
    recorder, scores = Recorder(), iter([3.0] + [2.0] * 20)
    make_trainer(
        tmp_path / "b", config=longer, recorder=recorder, score=lambda: next(scores)
    ).train()
    assert [report.validations_since_best for report in recorder.validations] == [0, 0, 1]


def test_validation_leaves_no_trace_in_the_weights(tmp_path: Path) -> None:
    def train(folder: Path, score: Callable[[], float]) -> Tensor:
        torch.manual_seed(3)
        trainer = make_trainer(folder, model=Toy(), score=score)
        trainer.train()
        state = CheckpointFolder(folder).load_state()
        assert state is not None
        return torch.as_tensor(state["updater"]["model"]["weight"])

    noisy = train(tmp_path / "noisy", lambda: float(torch.rand(50).mean()))
    assert torch.equal(noisy, train(tmp_path / "silent", lambda: 0.5))


def test_each_new_best_is_published_with_the_averaged_weights(tmp_path: Path) -> None:
    scores = iter([1.0, 3.0, 2.0, 2.5])
    published: list[tuple[float, list[float]]] = []
    model = Toy()
    trainer = make_trainer(
        tmp_path,
        model=model,
        score=lambda: next(scores),
        publish=lambda report: published.append(
            (report.validation.score, model.weight.detach().tolist())
        ),
    )
    trainer.train()
    assert [score for score, _ in published] == [1.0, 3.0]
    kept = CheckpointFolder(tmp_path).average_weights([8])["weight"]
    assert published[1][1] == kept.tolist()


@pytest.mark.parametrize(("score_of_mean", "outcome"), [(9.0, "is kept"), (1.0, "is not better")])
def test_the_mean_of_the_best_is_published_if_it_is_better(
    tmp_path: Path, score_of_mean: float, outcome: str
) -> None:
    scores = iter([1.0, 3.0, 2.0, score_of_mean])
    published: list[float] = []
    model, recorder = Toy(), Recorder()
    trainer = make_trainer(
        tmp_path,
        model=model,
        recorder=recorder,
        score=lambda: next(scores),
        publish=lambda report: published.append(report.validation.score),
    )
    trainer.train()
    assert published == ([1.0, 3.0, 9.0] if outcome == "is kept" else [1.0, 3.0])
    assert outcome in recorder.messages[-1]
    expected = CheckpointFolder(tmp_path).average_weights([8, 12])["weight"]
    assert torch.equal(model.weight, expected)


def test_patience_stops_early_and_says_so(tmp_path: Path) -> None:
    config = TrainingConfig(epochs=9, patience=2, precision="float32")
    recorder = Recorder()
    make_trainer(tmp_path, config=config, recorder=recorder, score=lambda: 1.0).train()
    assert [report.epoch for report in recorder.validations] == [1, 2, 3]
    assert "stopped early: 2 validations without a new best" in recorder.messages


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_training_that_diverges_stops_and_publishes_nothing_of_it(
    tmp_path: Path, broken: str
) -> None:
    model, published, calls = Toy(), [], iter(range(100))

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        value, nats = model.loss(batch)
        if next(calls) < 8:  # one to try it out, and all but the last of the second epoch
            return value, nats
        if broken == "loss":
            return value * torch.nan, nats * torch.nan
        return value + model.weight.abs().add(1).log().sqrt().sum() * torch.inf, nats

    def publish(report: ValidationReport) -> None:
        assert torch.isfinite(model.weight).all()
        published.append(report.epoch)

    trainer = make_trainer(tmp_path, model=model, loss=loss, publish=publish)
    with pytest.raises(SeqcliError, match="at step 8") as raised:
        trainer.train()
    assert "the best model so far is kept" in raised.value.why
    assert "training.learning_rate" in raised.value.fix
    assert "--overwrite" in raised.value.fix
    assert published == [1]
    state = CheckpointFolder(tmp_path).load_state()
    assert state is not None
    assert state["position"]["epoch"] == 1
    assert torch.isfinite(state["updater"]["average"][0]).all()


def test_a_loss_beyond_all_reason_counts_as_divergence(tmp_path: Path) -> None:
    model = Toy()
    trainer = make_trainer(
        tmp_path, model=model, loss=lambda batch: (model.loss(batch)[0], torch.tensor(1e6))
    )
    with pytest.raises(SeqcliError, match=r"2\.5e\+05 nats a token") as raised:
        trainer.train()
    assert "there is no model yet" in raised.value.why


def test_a_state_of_another_model_is_named(tmp_path: Path) -> None:
    make_trainer(tmp_path).save()
    torch.save({"model": {}}, tmp_path / "foreign.pt")
    other = Toy()
    other.weight = nn.Parameter(torch.zeros(7))
    with pytest.raises(ModelError, match="is of another model"):
        make_trainer(tmp_path, model=other).resume()
    (tmp_path / "foreign.pt").replace(tmp_path / "state-00000000.pt")
    with pytest.raises(ModelError, match="is of another model"):
        make_trainer(tmp_path).resume()


def test_an_empty_folder_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert not make_trainer(tmp_path).resume()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_is_computed_in_the_type_that_was_asked_for(
    tmp_path: Path, precision: str
) -> None:
    model, types = Toy(), set()

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        types.add((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
        return model.loss(batch)

    config = TrainingConfig(epochs=1, precision=precision)
    make_trainer(tmp_path, model=model, config=config, loss=loss).train()
    assert types == {getattr(torch, precision)}


def test_progress_counts_what_was_trained(tmp_path: Path) -> None:
    recorder = Recorder()
    make_trainer(tmp_path, recorder=recorder).train()
    assert [progress.step for progress in recorder.steps] == list(range(1, 13))
    assert {progress.total_steps for progress in recorder.steps} == {12}
    assert [progress.epoch for progress in recorder.steps] == [1] * 4 + [2] * 4 + [3] * 4
    assert recorder.steps[-1].seconds_left == 0


def test_the_lines_of_a_broken_batch_are_named_the_first_few_of_many(tmp_path: Path) -> None:
    model = Toy()
    many = PendingList([*EXAMPLES, *EXAMPLES], range(8))

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        value, nats = model.loss(batch)
        is_many = len(batch.source_BS) == 8 and torch.is_grad_enabled()
        return (value * torch.nan, nats) if is_many and trainer._updater.step else (value, nats)

    trainer = make_trainer(tmp_path, model=model, loss=loss, batches=[*BATCHES, many])
    with pytest.raises(SeqcliError) as raised:
        trainer.train()
    assert raised.value.what == (
        "the norm of the gradient became nan at step 5, in the batch of pair 1, pair 2, pair 3, "
        "pair 4, pair 5 and 3 more"
    )


def test_the_longest_batch_is_tried_before_the_first_update(tmp_path: Path) -> None:
    """The third has most positions; on a device too small for a line nothing is trained."""
    model, recorder, rows = Toy(), Recorder(), []
    batches = [PendingList(EXAMPLES, range(size)) for size in (1, 2, 4, 3)]

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        rows.append(len(batch.source_BS))
        return model.loss(batch)

    make_trainer(tmp_path, model=model, loss=loss, batches=batches).train()
    assert rows == [4] + [1, 2, 4, 3] * CONFIG.epochs

    def too_large(batch: PairBatch) -> tuple[Tensor, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer = make_trainer(tmp_path, loss=too_large, batches=batches, recorder=recorder)
    with pytest.raises(SeqcliError, match="pair 1 does not fit into memory"):
        trainer.train()
    assert not recorder.steps


def test_a_longest_batch_that_does_not_fit_is_trained_on_in_parts(tmp_path: Path) -> None:
    model, recorder = Toy(), Recorder()

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        if len(batch.source_BS) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return model.loss(batch)

    batches = [PendingList(EXAMPLES, range(size)) for size in (1, 4)]
    assert make_trainer(
        tmp_path, model=model, loss=loss, batches=batches, recorder=recorder
    ).train()
    assert len(recorder.steps) == 2 * CONFIG.epochs
    assert sum("did not fit into memory" in message for message in recorder.messages) == 1


def test_a_mean_that_is_kept_is_the_last_score_that_is_told(tmp_path: Path) -> None:
    scores = iter([1.0, 3.0, 2.0, 9.0, 1.0, 3.0, 2.0, 0.5])
    for is_kept in (True, False):
        recorder = Recorder()
        make_trainer(tmp_path, recorder=recorder, score=lambda: next(scores)).train()
        told = [report.validation.score for report in recorder.validations]
        assert told == ([1.0, 3.0, 2.0, 9.0] if is_kept else [1.0, 3.0, 2.0])
        assert recorder.validations[-1].of_mean is is_kept


def test_a_finished_training_says_that_it_is_and_one_that_goes_on_tells_its_best(
    tmp_path: Path,
) -> None:
    recorder = Recorder(send_at(9, signal.SIGINT))
    scores = iter([1.0, 3.0, 2.0, 0.0, 0.0])

    def next_trainer(recorder: Recorder) -> Trainer:
        return make_trainer(tmp_path, recorder=recorder, score=lambda: next(scores))

    with pytest.raises(Interrupted):
        next_trainer(recorder).train()
    assert [progress.best_score for progress in recorder.steps] == [None] * 4 + [1.0] * 4 + [
        3.0
    ] * 2
    going_on = Recorder()
    trainer = next_trainer(going_on)
    assert trainer.resume()
    assert going_on.messages == ["going on where the training was stopped"]
    trainer.train()
    assert going_on.steps[0].best_score == 3.0
    finished = Recorder()
    trainer = next_trainer(finished)
    assert trainer.resume()
    assert "finished already" in finished.messages[0]
    trainer.train()
    assert not finished.steps
