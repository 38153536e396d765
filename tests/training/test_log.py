"""The log of a training: each step once, whatever happened in between."""

import dataclasses
import json
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seqcli.errors import ModelError, OutputError
from seqcli.training import log as log_module
from seqcli.training.log import Score, TrainingLog, Update, read_log
from seqcli.training.report import Progress, QuietReporter, Validation, ValidationReport


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(log_module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def progress(step: int, *, epoch: int = 1) -> Progress:
    return Progress(
        epoch=epoch,
        epochs=9,
        step=step,
        total_steps=90,
        nats_per_token=2.0 + step,
        tokens_per_second=1234.5,
        learning_rate=0.00125,
        gradient_norm=0.25,
        seconds_left=60.0,
    )


def validation(step: int, *, epoch: int, score: float = 21.5) -> ValidationReport:
    return ValidationReport(
        Validation("BLEU", score, "nrefs:1"),
        epoch=epoch,
        step=step,
        best_score=30.0,
        is_best=False,
        validations_since_best=3,
        seconds=1.5,
    )


def two_epochs(log: TrainingLog) -> None:
    """Four steps an epoch, reported at each second one, and a validation at each end."""
    for epoch, steps in ((1, (2, 4)), (2, (6, 8))):
        for step in steps:
            log.progress(progress(step, epoch=epoch))
        log.validated(validation(steps[-1], epoch=epoch))


def events(path: Path) -> list[tuple[str, int]]:
    return [
        (record["event"], record["step"])
        for record in map(json.loads, path.read_text().splitlines())
    ]


def test_each_line_is_a_json_object_with_all_that_can_be_drawn(
    tmp_path: Path, clock: Clock
) -> None:
    log = TrainingLog(tmp_path / "log", QuietReporter())
    clock.now += 10
    log.progress(progress(2))
    clock.now += 5
    log.validated(validation(2, epoch=1))
    first, second = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert first == {
        "event": "update",
        "step": 2,
        "epoch": 1,
        "seconds": 10.0,
        "loss": 4.0,
        "tokens_per_second": 1234.5,
        "learning_rate": 0.00125,
        "gradient_norm": 0.25,
    }
    assert second == {
        "event": "validation",
        "step": 2,
        "epoch": 1,
        "seconds": 15.0,
        "metric": "BLEU",
        "score": 21.5,
        "is_best": False,
    }
    records = read_log(tmp_path / "log")
    assert [type(record) for record in records] == [Update, Score]
    assert list(map(msgspec.to_builtins, records)) == [first, second]


def test_all_news_is_passed_on(tmp_path: Path) -> None:
    heard: list[Any] = []

    class Listener:
        message = progress = validated = staticmethod(heard.append)

    log = TrainingLog(tmp_path / "log", Listener())
    news = ["text", progress(2), validation(2, epoch=1)]
    log.message(news[0])
    log.progress(news[1])
    log.validated(news[2])
    assert heard == news


@pytest.mark.parametrize(
    ("step", "epochs", "kept"),
    [
        (0, 0, []),
        (3, 0, [("update", 2)]),
        (4, 0, [("update", 2), ("update", 4)]),  # stopped before the validation
        (4, 1, [("update", 2), ("update", 4), ("validation", 4)]),
        (6, 1, [("update", 2), ("update", 4), ("validation", 4), ("update", 6)]),
    ],
)
def test_to_go_on_is_to_forget_what_comes_again(
    tmp_path: Path, step: int, epochs: int, kept: list[tuple[str, int]]
) -> None:
    two_epochs(TrainingLog(tmp_path / "log", QuietReporter()))
    TrainingLog(tmp_path / "log", QuietReporter()).go_on(step=step, epochs=epochs)
    assert events(tmp_path / "log") == kept


def test_a_validation_amid_an_epoch_is_forgotten_as_its_epoch_is_not_over(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log", QuietReporter())
    log.progress(progress(2))
    log.validated(validation(2, epoch=1))
    log.go_on(step=2, epochs=0)
    assert events(tmp_path / "log") == [("update", 2)]


def test_the_score_of_a_mean_is_the_last_and_forgotten_as_it_comes_again(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log", QuietReporter())
    two_epochs(log)
    for _ in range(2):
        log.go_on(step=8, epochs=2)
        log.validated(dataclasses.replace(validation(8, epoch=2, score=25.0), of_mean=True))
    records = read_log(tmp_path / "log")
    assert [record.score for record in records if isinstance(record, Score)] == [21.5, 21.5, 25.0]
    assert records[-1] == msgspec.json.decode(msgspec.json.encode(records[-1]), type=Score)


def test_the_time_in_which_it_was_stopped_does_not_count(tmp_path: Path, clock: Clock) -> None:
    log = TrainingLog(tmp_path / "log", QuietReporter())
    clock.now += 10
    log.progress(progress(2))
    clock.now += 5000
    log = TrainingLog(tmp_path / "log", QuietReporter())
    log.go_on(step=2, epochs=0)
    clock.now += 7
    log.progress(progress(4))
    assert [record.seconds for record in read_log(tmp_path / "log")] == [10, 17]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_that_a_power_cut_left_unfinished_is_left_out_and_named(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    two_epochs(TrainingLog(path, QuietReporter()))
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:cut])
    with caplog.at_level(logging.WARNING, logger="seqcli"):
        assert len(read_log(path)) == 5
    assert caplog.messages == [f"{path}: line 6 is damaged and left out"]
    log = TrainingLog(path, QuietReporter())
    log.go_on(step=8, epochs=1)
    log.validated(validation(8, epoch=2))
    assert path.read_bytes().splitlines()[:5] == [line.rstrip() for line in whole[:5]]
    assert events(path)[-1] == ("validation", 8)


@pytest.mark.parametrize(
    "damage", [b"\0" * 30, b"\xff", b'{"event": "\xff"}', b'{"event": "other"}', b"3"]
)
def test_no_damage_keeps_the_rest_from_being_read(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "log"
    two_epochs(TrainingLog(path, QuietReporter()))
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], damage, *lines[2:]]))
    assert len(read_log(path)) == 6


def test_a_log_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*log"):
        read_log(tmp_path / "log")
    log = TrainingLog(tmp_path / "missing" / "log", QuietReporter())
    with pytest.raises(OutputError, match=r"cannot write .*log"):
        log.progress(progress(2))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_ends_the_training_with_its_reason() -> None:
    with pytest.raises(OutputError, match="No space left") as raised:
        TrainingLog(Path("/dev/full"), QuietReporter()).progress(progress(2))
    assert "--resume" in raised.value.fix
