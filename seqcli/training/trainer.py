"""The training loop: epochs of updates, validation, selection, and a state to go on from."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqcli.data.batch import Batch
from seqcli.errors import ModelError, SeqcliError
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.config import TrainingConfig
from seqcli.training.interruption import Interrupted, StopRequest
from seqcli.training.meter import Meter
from seqcli.training.report import Progress, Reporter, Validation, ValidationReport
from seqcli.training.stopping import Selection
from seqcli.training.updater import Updater

SECONDS_BETWEEN_REPORTS = 1.0


@dataclass(slots=True)
class Position:
    """How far a training has come."""

    epoch: int = 0  # finished epochs, validation included
    batch: int = 0  # finished batches of the epoch under way
    total_steps: int = 0  # of the whole training, estimated from its first epoch


class Trainer:
    """Trains `model` on batches that come epoch by epoch.

    `batches(epoch)` gives the batches of an epoch, always the same for the same epoch; `loss` is
    as for `Updater`; `validate()` scores the model; `publish()` is called with each new best model.
    A training that was stopped and goes on gives the same weights as one that was not.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        batches: Callable[[int], Sequence[Callable[[], Batch]]],
        loss: Callable[[Any], tuple[Tensor, Tensor]],
        validate: Callable[[], Validation],
        publish: Callable[[ValidationReport], None],
        higher_is_better: bool,
        checkpoints: CheckpointFolder,
        reporter: Reporter,
    ) -> None:
        self._model = model
        self._config = config
        self._batches = batches
        self._validate = validate
        self._publish = publish
        self._checkpoints = checkpoints
        self._reporter = reporter
        self._updater = Updater(model, config, loss=loss)
        self._selection = Selection(
            keep=config.average_best, patience=config.patience, higher_is_better=higher_is_better
        )
        self._position = Position()
        self._stop_request = StopRequest()
        self._last_save = time.monotonic()

    def train(self) -> None:
        """Train to the last epoch, or until patience ends. Raises Interrupted after Ctrl-C."""
        with self._stop_request.noted():
            while self._position.epoch < self._config.epochs and not self._selection.exhausted:
                self._train_epoch()
                self._validate_epoch()
            if self._position.epoch < self._config.epochs:
                self._reporter.message(
                    f"stopped early: {self._selection.patience} validations without a new best"
                )
            self._publish_mean_of_best()
            if self._stop_request.is_made:
                raise self._interrupted()

    def resume(self) -> bool:
        """Take over the saved state, if there is one; return whether there was.

        Raises ModelError if it is not a state of this model.
        """
        state = self._checkpoints.load_state()
        if state is None:
            return False
        try:
            self._updater.restore(state["updater"])
            self._position = Position(**state["position"])
            self._selection.best = [(score, step) for score, step in state["best"]]
            self._selection.validations_since_best = state["validations_since_best"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"the training state in {self._checkpoints.folder} is of another model: {error}",
                why="the training can go on only from a state of its own",
                fix="Start again with --overwrite",
            ) from error
        return True

    def save(self) -> None:
        """Write the state to go on from."""
        self._checkpoints.save_state(
            {
                "updater": self._updater.state(),
                "position": asdict(self._position),
                "best": [list(entry) for entry in self._selection.best],
                "validations_since_best": self._selection.validations_since_best,
            }
        )
        self._last_save = time.monotonic()

    def _train_epoch(self) -> None:
        """Make the updates of one epoch, from the batch where it was left."""
        position = self._position
        batches = self._batches(position.epoch)
        if position.total_steps == 0:
            position.total_steps = len(batches) * self._config.epochs
        meter = Meter()
        self._model.train()
        for make_batch in batches[position.batch :]:
            self._updater.update(make_batch(), meter, total_steps=position.total_steps)
            position.batch += 1
            save = time.monotonic() - self._last_save >= 60 * self._config.save_minutes
            stop = self._stop_request.is_made
            if save or stop or meter.seconds >= SECONDS_BETWEEN_REPORTS:
                self._report(meter, len(batches))
            if stop:
                self._reporter.message("saving the state; Ctrl-C again stops without it")
            if save or stop:
                self.save()
            if stop:
                raise self._interrupted()
        if meter.batches:
            self._report(meter, len(batches))

    def _report(self, meter: Meter, batches_an_epoch: int) -> None:
        """Send the means since the last report, before which nothing is saved or published."""
        means = meter.read()
        if means.diverged:
            raise self._diverged(f"the loss became {means.nats_per_token:.4g} nats a token")
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
                seconds_left=left * meter.seconds / meter.batches,
            )
        )
        meter.reset()

    def _validate_epoch(self) -> None:
        """Score the averaged weights, keep them if they are among the best, save the state."""
        start = time.monotonic()
        position, selection, step = self._position, self._selection, self._updater.step
        with self._updater.average.applied():
            validation = self._validate_quietly()
            if not math.isfinite(validation.score):
                raise self._diverged(f"the {validation.metric} became {validation.score}")
            in_warmup = self._updater.in_warmup(position.total_steps)
            is_best = selection.add(validation.score, step, in_warmup=in_warmup)
            report = ValidationReport(
                validation,
                epoch=position.epoch + 1,
                step=step,
                best_score=selection.best[0][0],
                is_best=is_best,
                validations_since_best=selection.validations_since_best,
                seconds=time.monotonic() - start,
            )
            if step in selection.steps:
                weights = {name: tensor.detach() for name, tensor in self._model.named_parameters()}
                self._checkpoints.save_weights(step, weights)
            if is_best:
                self._publish(report)
        self._reporter.validated(report)
        position.epoch += 1
        position.batch = 0
        self.save()
        self._checkpoints.keep_weights(selection.steps)
        if self._stop_request.is_made:
            raise self._interrupted()

    def _publish_mean_of_best(self) -> None:
        """Publish the mean of the best checkpoints if it is better than the best of them."""
        best = self._selection.best
        if len(best) < 2:
            return
        start = time.monotonic()
        mean = self._checkpoints.average_weights(self._selection.steps)
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                parameter.copy_(mean[name])
        validation = self._validate_quietly()
        is_best = self._selection.is_better(validation.score, best[0][0])
        outcome = "is kept" if is_best else "is not better"
        self._reporter.message(
            f"the mean of the {len(best)} best checkpoints has {validation.metric} "
            f"{validation.score:.2f} and {outcome} (best alone {best[0][0]:.2f})"
        )
        if is_best:
            self._publish(
                ValidationReport(
                    validation,
                    epoch=self._position.epoch,
                    step=self._updater.step,
                    best_score=validation.score,
                    is_best=True,
                    validations_since_best=0,
                    seconds=time.monotonic() - start,
                )
            )

    def _validate_quietly(self) -> Validation:
        """Validate in evaluation mode, without a trace in the random numbers of training."""
        self._model.eval()
        device = self._updater.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            return self._validate()

    def _interrupted(self) -> Interrupted:
        epoch, batch = self._position.epoch, self._position.batch
        where = f"in epoch {epoch + 1}" if batch else f"at the end of epoch {epoch}"
        return Interrupted(
            f"stopped after step {self._updater.step}, {where}",
            why="you asked for it; nothing is lost",
            fix="Go on with the same command and --resume",
        )

    def _diverged(self, what: str) -> SeqcliError:
        best = "the best model so far is kept" if self._selection.best else "there is no model yet"
        return SeqcliError(
            f"{what} at step {self._updater.step}",
            why=f"the training diverged; {best}",
            fix="Lower training.learning_rate or raise training.warmup_steps, and start again",
        )
