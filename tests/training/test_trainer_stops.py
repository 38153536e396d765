"""Trainings that are stopped, by their user or by the clock, and go on."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor

from seqcli.data.batch import PairBatch
from seqcli.training import interruption, meter
from seqcli.training import trainer as trainer_module
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.interruption import Interrupted
from seqcli.training.report import Progress, ValidationReport
from seqcli.training.trainer import Trainer
from tests.training.toy_trainings import (
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


def weights_after(folder: Path, stops: dict[int, signal.Signals]) -> Tensor:
    """Train in `folder`, stopped after the given steps and resumed each time."""
    torch.manual_seed(3)
    trainer = make_trainer(folder, model=(model := Toy()))
    for step, number in stops.items():
        trainer._reporter = Recorder(send_at(step, number))
        with pytest.raises(Interrupted) as raised:
            trainer.train()
        assert raised.value.exit_status == 130
        torch.manual_seed(99)  # what comes next depends on the saved state alone
        trainer = make_trainer(folder, model=(model := Toy()))
        assert trainer.resume()
    trainer.train()
    return model.weight.detach()


@pytest.mark.parametrize(
    "stops",
    [
        {6: signal.SIGINT},
        {1: signal.SIGTERM},
        {4: signal.SIGINT},  # the last step of an epoch
        {3: signal.SIGINT, 7: signal.SIGINT, 11: signal.SIGTERM},
    ],
)
def test_stopped_and_resumed_equals_uninterrupted(
    tmp_path: Path, stops: dict[int, signal.Signals]
) -> None:
    whole = weights_after(tmp_path / "whole", {})
    stopped = weights_after(tmp_path / "stopped", stops)
    assert torch.equal(stopped, whole)


def test_a_request_during_validation_stops_after_it(tmp_path: Path) -> None:
    def score() -> float:
        os.kill(os.getpid(), signal.SIGINT)
        return 1.0

    with pytest.raises(Interrupted, match="after step 4, at the end of epoch 1"):
        make_trainer(tmp_path, score=score).train()
    trainer = make_trainer(tmp_path)
    assert trainer.resume()
    assert trainer._position.epoch == 1
    assert trainer._position.batch == 0


def test_a_request_after_the_last_epoch_stops_before_anything_else(tmp_path: Path) -> None:
    recorder = Recorder()

    def score() -> float:
        if len(recorder.validations) == CONFIG.epochs:  # the one of the mean of the best
            os.kill(os.getpid(), signal.SIGINT)
        return float(len(recorder.validations))

    with pytest.raises(Interrupted, match="after step 12, at the end of epoch 3"):
        make_trainer(tmp_path, recorder=recorder, score=score).train()
    again = Recorder()
    trainer = make_trainer(tmp_path, recorder=again)
    assert trainer.resume()
    trainer.train()
    assert not again.steps
    assert "mean of the 2 best checkpoints" in again.messages[-1]


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        make_trainer(tmp_path, recorder=Recorder(send_at(2, signal.SIGINT))).train()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_request_is_announced_by_the_loop_and_not_amid_what_is_being_said(
    tmp_path: Path,
) -> None:
    said: list[str] = []

    class Speaker(Recorder):
        def message(self, text: str) -> None:
            said.append(text)

        def progress(self, progress: Progress) -> None:
            if progress.step == 2:
                os.kill(os.getpid(), signal.SIGINT)
            said.append(f"step {progress.step}")

    with pytest.raises(Interrupted):
        make_trainer(tmp_path, recorder=Speaker()).train()
    assert said[:3] == ["computing in float32", "step 1", "step 2"]
    assert "saving the state" in said[-1]


def test_a_second_ctrl_c_ends_at_once_and_the_training_can_still_go_on(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        make_trainer(tmp_path, recorder=Recorder(send_at(2, signal.SIGINT))).train()
    trainer = make_trainer(tmp_path, recorder=Recorder(send_at(6, signal.SIGINT, signal.SIGINT)))
    assert trainer.resume()
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert make_trainer(tmp_path).resume()


def test_signal_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    make_trainer(tmp_path).train()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_it_trains_in_a_thread_too(tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def train() -> None:
        try:
            make_trainer(tmp_path).train()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert not faults


class Clock:
    """Time that goes on a little whenever someone looks at it, and else as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (trainer_module, interruption, meter):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.parametrize("minutes", [1.25, 1.5, 2, 2.5, 3])
def test_a_training_ends_within_its_time_and_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, clock: Clock, minutes: float
) -> None:
    """A validation takes 20 seconds, a step 8: in all it would take 184."""
    limited = msgspec.structs.replace(CONFIG, max_minutes=minutes)
    published: list[ValidationReport] = []

    def trainer_of(folder: Path, model: Toy, config: TrainingConfig) -> Trainer:
        def score() -> float:
            clock.now += 20
            return -float((model.weight - 5.5).square().mean())

        def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
            clock.now += 8
            return model.loss(batch)

        return make_trainer(
            folder, model=model, config=config, loss=loss, score=score, publish=published.append
        )

    whole = Toy()
    assert trainer_of(tmp_path / "whole", whole, CONFIG).train()
    published.clear()
    clock.now = 0.0
    assert not trainer_of(tmp_path / "limited", Toy(), limited).train()
    assert clock.now < 60 * minutes
    assert published
    resumed = Toy()
    trainer = trainer_of(tmp_path / "limited", resumed, CONFIG)
    assert trainer.resume()
    assert trainer.train()
    assert torch.equal(resumed.weight, whole.weight)


def test_the_time_that_went_by_before_counts(tmp_path: Path, clock: Clock) -> None:
    recorder = Recorder()
    config = msgspec.structs.replace(CONFIG, max_minutes=10)
    clock.now = 1000.0
    trainer = make_trainer(tmp_path, config=config, recorder=recorder, start=400.0)
    assert not trainer.train()
    assert len(recorder.steps) == 1
    assert "go on with the same command and --resume" in recorder.messages[-1]


def test_the_seconds_of_a_save_do_not_count_as_those_of_updates(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each update takes 8 seconds, and each save 1000: of three targets each, 3/8 a second."""
    model, recorder = Toy(), Recorder()

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        clock.now += 8
        return model.loss(batch)

    save_state = CheckpointFolder.save_state

    def slow(*arguments: Any) -> None:
        clock.now += 1000
        save_state(*arguments)

    monkeypatch.setattr(CheckpointFolder, "save_state", slow)
    config = msgspec.structs.replace(CONFIG, save_minutes=1e-9)
    make_trainer(tmp_path, model=model, config=config, loss=loss, recorder=recorder).train()
    targets = len(EXAMPLES[0].target) + 1
    assert len(recorder.steps) == 12
    for progress in recorder.steps:
        assert progress.tokens_per_second == pytest.approx(targets / 8, rel=0.1)
