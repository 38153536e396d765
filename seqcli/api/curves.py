"""The curves of trainings, from the logs that these have left."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from seqcli.api.statistical import is_statistical
from seqcli.bundle import FACTS, TRAINING, find_model, read_facts
from seqcli.config import require_one_of
from seqcli.errors import ModelError
from seqcli.training.log import LOG, Record, Score, Update, read_log


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A value and when it was reached."""

    step: int
    epoch: int
    seconds: float  # of training so far
    value: float


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity over one training; `best` is there for scores alone."""

    model: str  # as it was asked for
    quantity: str
    title: str  # what the values are, in words
    points: list[Point]
    best: Point | None = None


class TrainingCurves(msgspec.Struct, frozen=True, kw_only=True):
    """All curves that were asked for: of each quantity those of all models that have it."""

    curves: list[Curve]

    def by_title(self) -> dict[str, list[Curve]]:
        """Those that can share a picture, under what they show."""
        titles = dict.fromkeys(curve.title for curve in self.curves)
        return {title: [curve for curve in self.curves if curve.title == title] for title in titles}


class _Quantity(NamedTuple):
    title: str
    value: Callable[[Update], float]


SCORE = "score"  # the one that comes from validations
_UPDATES = {
    "loss": _Quantity("training loss, nats a target", lambda update: update.loss),
    "rate": _Quantity("learning rate", lambda update: update.learning_rate),
    "speed": _Quantity("targets a second", lambda update: update.tokens_per_second),
    "gradient": _Quantity("norm of the gradient", lambda update: update.gradient_norm),
}
QUANTITIES = ("loss", SCORE, *(name for name in _UPDATES if name != "loss"))


def training_curves(
    models: Sequence[str], quantities: Sequence[str] = ("loss", SCORE)
) -> TrainingCurves:
    """Read the curves of trainings, also of one that goes on just now.

    `models` are folders or names of shipped models, `quantities` some of `QUANTITIES`. Raises
    ModelError where a model has no log, or nothing of these quantities in it.
    """
    for quantity in quantities:
        require_one_of("metric", quantity, QUANTITIES)
    logs = {model: _read(model) for model in dict.fromkeys(models)}
    found = [
        curve
        for quantity in quantities
        for model, records in logs.items()
        if (curve := _curve(model, quantity, records)).points
    ]
    for model in logs:
        if not any(curve.model == model for curve in found):
            raise ModelError(
                f"the log of {model} has nothing of: {', '.join(quantities)}",
                why="the training has only just begun; a score comes with the end of an epoch",
                fix="Try again later, or choose another curve with --metric",
            )
    return TrainingCurves(curves=found)


def _read(model: str) -> list[Record]:
    folder = find_model(model)
    path = folder / TRAINING / LOG
    if not path.is_file():
        if (folder / FACTS).is_file() and is_statistical(read_facts(folder).architecture):
            raise ModelError(
                f"{model} has no log of its training",
                why="it has no network: what is counted has no loss and no rate to follow",
                fix="Give a network's folder, as `seqcli train` has written it",
            )
        raise ModelError(
            f"{model} has no log of its training",
            why=f"there is no {path}: it was left out when the model was copied, or the version "
            "that trained it kept none",
            fix="Give a folder that `seqcli train` has written",
        )
    return read_log(path)


def _curve(model: str, quantity: str, records: Sequence[Record]) -> Curve:
    if quantity != SCORE:
        title, value = _UPDATES[quantity]
        updates = [_point(each, value(each)) for each in records if isinstance(each, Update)]
        return Curve(model=model, quantity=quantity, title=title, points=updates)
    validations = [each for each in records if isinstance(each, Score)]
    # One that went on with another metric is shown by that: the scores before are no like of it.
    scores = [each for each in validations if each.metric == validations[-1].metric]
    best = [_point(each, each.score) for each in scores if each.is_best]
    return Curve(
        model=model,
        quantity=quantity,
        title=f"validation {scores[-1].metric}" if scores else "",
        points=[_point(each, each.score) for each in scores],
        best=best[-1] if best else None,
    )


def _point(record: Record, value: float) -> Point:
    return Point(step=record.step, epoch=record.epoch, seconds=record.seconds, value=value)
