"""The training loop: epochs of updates, validation, selection, and a state to go on from."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seqcli.data.batching import PendingBatch
from seqcli.data.epochs import Divide
from seqcli.errors import ModelError, SeqcliError
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.distributed import Processes
from seqcli.training.interruption import Interrupted, StopRequest, TimeLimit
from seqcli.training.meter import BrokenUpdate, Meter
from seqcli.training.report import (
    Progress,
    Reporter,
    Validation,
    ValidationReport,
    score_text,
)
from seqcli.training.stopping import Selection
from seqcli.training.updater import Updater

SECONDS_BETWEEN_REPORTS = 1.0


class BatchesOfEpoch(Protocol):
    """Gives the batches of an epoch, always the same for the same epoch and shares.

    Each is to be dealt out in so many `shares` of the token budget. What is costly to make, the
    processes `divide` among them.
    """

    def __call__(self, epoch: int, *, shares: int, divide: Divide) -> Sequence[PendingBatch]: ...


@dataclass(slots=True)
class Position:
    """How far a training has come."""

    epoch: int = 0  # finished epochs, validation included
    batch: int = 0  # finished batches of the epoch under way
    total_steps: int = 0  # of the whole training, estimated from its first epoch


class Trainer:
    """Trains `model` on batches that come epoch by epoch.

    `loss` and `seed` are as for `Updater`; `validate()` scores the model; `publish()` is called
    with each new best model. A training that was stopped and goes on gives the same weights as one
    that was not. `metric` names what scores tell: those of a state by another one are forgotten.
    `unit` names what is predicted. Time counts from `start` of `time.monotonic`, or from now.
    Of several processes the first alone reports, validates and writes; the others follow it.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        batches: BatchesOfEpoch,
        loss: Callable[[Any], tuple[Tensor, Tensor]],
        validate: Callable[[], Validation],
        publish: Callable[[ValidationReport], None],
        higher_is_better: bool,
        metric: str = "",
        unit: str = "target token",
        checkpoints: CheckpointFolder,
        reporter: Reporter,
        seed: int,
        processes: Processes | None = None,
        start: float | None = None,
    ) -> None:
        self._model = model
        self._config = config
        self._batches = batches
        self._validate = validate
        self._publish = publish
        self._metric = metric
        self._unit = unit
        self._checkpoints = checkpoints
        self._reporter = reporter
        self._processes = processes or Processes()
        self._updater = Updater(
            model, config, loss=loss, seed=seed, processes=self._processes, say=reporter.message
        )
        self._selection = Selection(
            keep=config.average_best,
            patience=config.patience,
            higher_is_better=higher_is_better,
            average=config.average,
        )
        self._position = Position()
        self._stop_request = StopRequest()
        self._last_save = time.monotonic()
        self._time_limit = TimeLimit(
            config.max_minutes, start=self._last_save if start is None else start
        )
        self._tried_out = False

    def train(self) -> bool:
        """Train to the last epoch, or until patience or the time limit ends.

        Returns whether it is over: not if only its time is. Raises Interrupted after Ctrl-C.
        """
        with self._stop_request.noted():
            self._reporter.message(f"computing in {self._updater.precision}")
            in_time = True
            while self._has_epochs_left and in_time:
                in_time = self._train_epoch()
                if in_time:
                    self._validate_epoch()
                    in_time = not self._time_is_up()
            is_over = not self._has_epochs_left
            if not is_over:
                self._end_for_now()
            elif self._position.epoch < self._config.epochs:
                self._reporter.message(
                    f"stopped early: {self._selection.patience} validations without a new best"
                )
            self._publish_mean_of_best()
            if self._any_stop_request():
                raise self._interrupted()
            return is_over

    def resume(self) -> bool:
        """Take over the saved state, if there is one, and say so; return whether there was.

        Raises ModelError if it is not a state of this model.
        """
        state = self._processes.from_first(
            lambda: self._checkpoints.load_state(self._reporter.message)
        )
        if state is None:
            return False
        try:
            self._updater.restore(state["updater"])
            self._position = Position(**state["position"])
            epochs = state.get("epochs", self._config.epochs)  # as version 0.1 does not say
            self._position.total_steps = self._position.total_steps * self._config.epochs // epochs
            if state.get("metric", self._metric) == self._metric:  # else scores do not compare
                self._selection.restore(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"the training state in {self._checkpoints.folder} is of another model: {error}",
                why="the training can go on only from a state of its own",
                fix="Start again with --overwrite",
            ) from error
        self._reporter.message(
            "going on where the training was stopped"
            if self._has_epochs_left
            else "the training is finished already: there is nothing to go on with"
        )
        return True

    def save(self) -> None:
        """Write the state to go on from; no process goes on before it is written."""
        if self._processes.is_first:
            self._checkpoints.save_state(
                self._updater.step,
                {
                    "updater": self._updater.state(),
                    "position": asdict(self._position),
                    "epochs": self._config.epochs,
                    "metric": self._metric,
                    **self._selection.state(),
                },
            )
        self._processes.wait()
        self._last_save = time.monotonic()

    @property
    def step(self) -> int:
        """Updates so far."""
        return self._updater.step

    @property
    def epochs(self) -> int:
        """Finished epochs, their validations included."""
        return self._position.epoch

    @property
    def _has_epochs_left(self) -> bool:
        return self._position.epoch < self._config.epochs and not self._selection.exhausted

    def _train_epoch(self) -> bool:
        """Make the updates of one epoch, from the batch where it was left.

        Returns whether there was time for all of them; if not, the state is saved.
        """
        position = self._position
        batches = self._batches(
            position.epoch, shares=self._updater.shares, divide=self._processes.divided
        )
        if position.total_steps == 0:
            position.total_steps = len(batches) * self._config.epochs
        self._model.train()
        self._try_out_longest(batches)
        meter = Meter()
        for batch in batches[position.batch :]:
            start = time.monotonic()
            self._updater.update(batch, meter, total_steps=position.total_steps)
            self._time_limit.count_step(time.monotonic() - start)
            position.batch += 1
            stop, time_is_up, save, report = self._due(meter)
            if stop or time_is_up or save or report:
                self._report(meter, len(batches))
            if stop:
                self._reporter.message("saving the state; Ctrl-C or SIGTERM again stops without it")
            if stop or time_is_up or save:
                self.save()
                meter.reset()  # the seconds of a save are no update's
            if stop:
                raise self._interrupted()
            if time_is_up:
                return False
        if meter.updates:
            self._report(meter, len(batches))
        return True

    def _try_out_longest(self, batches: Sequence[PendingBatch]) -> None:
        """Find out at once, not hours later, whether all batches fit into memory."""
        if not self._tried_out:
            self._updater.try_out(max(batches, key=lambda batch: batch.positions()))
            self._tried_out = True

    def _due(self, meter: Meter) -> tuple[bool, bool, bool, bool]:
        """Whether to stop, to end for lack of time, to save and to report after an update.

        Any process may be asked to stop; for the rest the clock of the first one counts.
        """
        is_first = self._processes.is_first
        seconds_unsaved = time.monotonic() - self._last_save
        stop, time_is_up, save, report = self._processes.any(
            self._stop_request.is_made,
            is_first and self._time_limit.is_near,
            is_first and seconds_unsaved >= 60 * self._config.save_minutes,
            is_first and meter.seconds >= SECONDS_BETWEEN_REPORTS,
        )
        return stop, time_is_up, save, report

    def _any_stop_request(self) -> bool:
        return self._processes.any(self._stop_request.is_made)[0]

    def _time_is_up(self) -> bool:
        return self._processes.any(self._time_limit.is_near)[0]

    def _report(self, meter: Meter, batches_an_epoch: int) -> None:
        """Send the means since the last report, before which nothing is saved or published."""
        means = meter.read()
        if isinstance(means, BrokenUpdate):
            broken_step = self._updater.step - meter.updates + means.number + 1
            raise self._diverged(
                f"{means.fault} at step {broken_step}, in the batch of {means.places}"
            )
        config, position, step = self._config, self._position, self._updater.step
        left = (config.epochs - position.epoch) * batches_an_epoch - position.batch
        self._reporter.progress(
            Progress(
                epoch=position.epoch + 1,
                epochs=config.epochs,
                step=step,
                total_steps=step + left,
                nats_per_token=means.nats_per_token,
                tokens_per_second=means.tokens_per_second,
                learning_rate=self._updater.learning_rate,
                gradient_norm=means.gradient_norm,
                seconds_left=left * meter.seconds / meter.updates,
                unit=self._unit,
                metric=self._metric,
                best_score=self._selection.best[0][0] if self._selection.best else None,
            )
        )
        meter.reset()

    def _validate_epoch(self) -> None:
        """Score the averaged weights at the end of an epoch, and save the state.

        Weights that only the state before still counts among the best are kept as long as it is.
        Others go before the state is saved: once all is done, no later training would remove them.
        """
        steps_before = self._selection.steps
        self._score()
        self._position.epoch += 1
        self._position.batch = 0
        if self._processes.is_first:
            self._checkpoints.keep_weights({*steps_before, *self._selection.steps})
        self.save()
        if self._any_stop_request():
            raise self._interrupted()

    def _end_for_now(self) -> None:
        """Make the best of what there is when the time is over; the state is saved already.

        What is selected from here on is not in the state: to go on is as if nothing had happened.
        """
        if self._position.batch:
            self._score()
        self._reporter.message(
            f"the time is over after step {self._updater.step}, {self._where()}; go on with the "
            "same command and --resume"
        )

    def _score(self) -> None:
        """Score the averaged weights, and keep them if they are among the best."""
        start = time.monotonic()
        position, selection, step = self._position, self._selection, self._updater.step
        with self._updater.average.applied():
            validation = self._processes.from_first(self._validate_quietly)
            if not math.isfinite(validation.score):
                raise self._diverged(
                    f"the {validation.metric} became {validation.score} at step {step}"
                )
            in_warmup = self._updater.in_warmup(position.total_steps)
            is_best = selection.add(validation.score, step, in_warmup=in_warmup)
            self._updater.plateau.validated(is_best=is_best, in_warmup=in_warmup)
            report = ValidationReport(
                validation,
                epoch=position.epoch + 1,
                step=step,
                best_score=selection.best[0][0],
                is_best=is_best,
                validations_since_best=selection.validations_since_best,
                seconds=time.monotonic() - start,
            )
            if self._processes.is_first:
                if step in selection.steps:
                    weights = {name: each.detach() for name, each in self._model.named_parameters()}
                    self._checkpoints.save_weights(step, weights)
                if is_best:
                    self._publish(report)
        self._reporter.validated(report)
        self._time_limit.count_validation(time.monotonic() - start)

    def _publish_mean_of_best(self) -> None:
        """Publish the mean of the best or last checkpoints if it is better than the best."""
        selection = self._selection
        if len(selection.steps) < 2 or not self._processes.is_first:
            return
        start, best_score = time.monotonic(), selection.best[0][0]
        mean = self._checkpoints.average_weights(selection.steps)
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                parameter.copy_(mean[name])
        validation = self._validate_quietly()
        name = validation.metric
        is_best = selection.is_better(validation.score, best_score)
        outcome = "is kept" if is_best else "is not better"
        self._reporter.message(
            f"the mean of the {len(selection.steps)} {selection.average} checkpoints has "
            f"{name} {score_text(name, validation.score)} and {outcome} (best alone "
            f"{score_text(name, best_score)})"
        )
        if is_best:
            report = ValidationReport(
                validation,
                epoch=self._position.epoch,
                step=self._updater.step,
                best_score=validation.score,
                is_best=True,
                validations_since_best=0,
                seconds=time.monotonic() - start,
                of_mean=True,
            )
            self._publish(report)
            self._reporter.validated(report)

    def _validate_quietly(self) -> Validation:
        """Validate in evaluation mode, without a trace in the caller's random numbers."""
        self._model.eval()
        device = self._updater.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            return self._validate()

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            f"stopped after step {self._updater.step}, {self._where()}",
            why="Ctrl-C or SIGTERM asked for it; nothing is lost",
            fix="Go on with the same command and --resume",
        )

    def _where(self) -> str:
        epoch, batch = self._position.epoch, self._position.batch
        return f"in epoch {epoch + 1}" if batch else f"at the end of epoch {epoch}"

    def _diverged(self, what: str) -> SeqcliError:
        best = "the best model so far is kept" if self._selection.best else "there is no model yet"
        return SeqcliError(
            what,
            why=f"the training diverged; {best}",
            fix="Lower training.learning_rate or raise training.warmup_steps, and start again with "
            "--overwrite",
        )
