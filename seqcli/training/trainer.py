"""The training loop: updates, validation, selection, and a state that it can go on from."""

import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqcli.config import Config, require_one_of, require_positive, require_probability
from seqcli.data.batch import Batch
from seqcli.errors import ConfigError, SeqcliError
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.optimizer import AveragedWeights, make_optimizer
from seqcli.training.precision import PRECISIONS, choose_precision
from seqcli.training.report import Progress, Reporter, Validation, ValidationReport
from seqcli.training.schedule import SCHEDULES, learning_rate_factor
from seqcli.training.stopping import Selection

SECONDS_BETWEEN_REPORTS = 1.0


class TrainingConfig(Config):
    """How a model is trained: the section `training` of a recipe."""

    epochs: int = 30
    batch_tokens: int = 2000  # target tokens a batch, padding included
    learning_rate: float = 2e-3  # at the peak
    schedule: str = "cosine"
    warmup_steps: int = 400
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # the gradient's norm is cut to this
    label_smoothing: float = 0.1
    ema_decay: float = 0.998  # of the averaged weights that are validated and kept; 0 for none
    average_best: int = 5  # checkpoints averaged at the end, if that scores better
    patience: int = 10  # validations without a new best before an early stop; 0 for no stop
    save_minutes: float = 5.0  # between states saved inside an epoch
    precision: str = "auto"
    half_precision_weights: bool = False  # ship the model in float16: half the size

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_tokens", "learning_rate", "clip_norm", "average_best"):
            require_positive(f"training.{name}", getattr(self, name))
        require_positive("training.save_minutes", self.save_minutes)
        for name in ("label_smoothing", "ema_decay"):
            require_probability(f"training.{name}", getattr(self, name))
        require_one_of("training.schedule", self.schedule, SCHEDULES)
        require_one_of("training.precision", self.precision, PRECISIONS)
        for name in ("warmup_steps", "weight_decay", "patience"):
            if getattr(self, name) < 0:
                raise ConfigError(f"training.{name} must not be negative")


class Interrupted(SeqcliError):
    """The user stopped a training; its state is saved."""

    exit_status = 130


@dataclass(slots=True)
class Position:
    """How far a training has come."""

    epoch: int = 0  # finished epochs, validation included
    batch: int = 0  # finished batches of the epoch under way
    step: int = 0  # updates in all


class Trainer:
    """Trains `model` on batches that come epoch by epoch.

    `batches(epoch)` gives the batches of an epoch, always the same for the same epoch; `loss(batch)`
    returns two sums over the batch's target tokens, in nats: the loss and the negative
    log-likelihood; `validate()` scores the model; `publish()` is called with each new best model.
    A training that was stopped and goes on gives the same weights as one that was not.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        batches: Callable[[int], Sequence[Callable[[], Batch]]],
        loss: Callable[[Batch], tuple[Tensor, Tensor]],
        validate: Callable[[], Validation],
        publish: Callable[[ValidationReport], None],
        higher_is_better: bool,
        checkpoints: CheckpointFolder,
        reporter: Reporter,
    ) -> None:
        self._model = model
        self._config = config
        self._batches = batches
        self._loss = loss
        self._validate = validate
        self._publish = publish
        self._checkpoints = checkpoints
        self._reporter = reporter
        self._device = next(model.parameters()).device
        self._dtype = choose_precision(config.precision, self._device)
        self._parameters = list(model.parameters())
        self._optimizer = make_optimizer(
            self._parameters,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self._average = AveragedWeights(self._parameters, decay=config.ema_decay)
        self._selection = Selection(
            keep=config.average_best, patience=config.patience, higher_is_better=higher_is_better
        )
        self._position = Position()
        self._total_steps = 0
        self._last_save = time.monotonic()
        self._stop_asked = False

    def train(self) -> None:
        """Train to the last epoch, or until patience ends. Raises Interrupted after Ctrl-C."""
        with self._signals_noted():
            while self._position.epoch < self._config.epochs and not self._selection.exhausted:
                self._train_epoch()
                self._validate_epoch()
            if self._position.epoch < self._config.epochs:
                self._reporter.message(
                    f"stopped early: {self._selection.patience} validations without a new best"
                )
            self._finish()

    def resume(self) -> bool:
        """Take over the saved state, if there is one; return whether there was."""
        state = self._checkpoints.load_state()
        if state is None:
            return False
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        for average, saved in zip(self._average.tensors, state["average"], strict=True):
            average.copy_(saved)
        self._selection.best = [(score, step) for score, step in state["best"]]
        self._selection.validations_since_best = state["validations_since_best"]
        self._position = Position(**state["position"])
        self._total_steps = state["total_steps"]
        self._dtype = torch.bfloat16 if state["bfloat16"] else torch.float32
        torch.set_rng_state(state["random"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"])
        return True

    def save(self) -> None:
        """Write the state to go on from."""
        state: dict[str, Any] = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.tensors,
            "best": [list(entry) for entry in self._selection.best],
            "validations_since_best": self._selection.validations_since_best,
            "position": {
                "epoch": self._position.epoch,
                "batch": self._position.batch,
                "step": self._position.step,
            },
            "total_steps": self._total_steps,
            "bfloat16": self._dtype == torch.bfloat16,
            "random": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            state["cuda_random"] = torch.cuda.get_rng_state()
        self._checkpoints.save_state(state)
        self._last_save = time.monotonic()

    def _train_epoch(self) -> None:
        """Make the updates of one epoch, from the batch where it was left."""
        batches = self._batches(self._position.epoch)
        if self._total_steps == 0:
            self._total_steps = len(batches) * self._config.epochs
        meter = _Meter()
        self._model.train()
        for make_batch in batches[self._position.batch :]:
            batch = make_batch().to(self._device)
            meter.add(self._update(batch), batch)
            self._position.batch += 1
            if meter.seconds >= SECONDS_BETWEEN_REPORTS:
                self._report(meter, len(batches))
            if self._stop_asked:
                self._stop()
            if time.monotonic() - self._last_save > 60 * self._config.save_minutes:
                self.save()
        self._report(meter, len(batches))

    def _update(self, batch: Batch) -> Tensor:
        """Make one update and return the summed negative log-likelihood."""
        factor = learning_rate_factor(
            self._config.schedule,
            self._position.step,
            warmup_steps=self._config.warmup_steps,
            total_steps=self._total_steps,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * factor
        bfloat16 = self._dtype == torch.bfloat16
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bfloat16):
            loss, negative_log_likelihood = self._loss(batch)
        self._optimizer.zero_grad(set_to_none=True)
        (loss / batch.target_mask_BT.sum()).backward()
        nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm, foreach=True)
        self._optimizer.step()
        self._position.step += 1
        self._average.update(self._position.step)
        return negative_log_likelihood.detach()

    def _report(self, meter: "_Meter", batches_an_epoch: int) -> None:
        """Send the means since the last report. Raises SeqcliError if the loss is no number."""
        if meter.batches == 0:
            return
        config, position = self._config, self._position
        nats_per_token = meter.nats_per_token()
        if not math.isfinite(nats_per_token):
            raise SeqcliError(
                f"the loss became {nats_per_token} at step {position.step}",
                why="the training diverged; the best model so far is kept",
                fix="Lower training.learning_rate or raise training.warmup_steps",
            )
        left = (config.epochs - position.epoch) * batches_an_epoch - position.batch
        self._reporter.progress(
            Progress(
                epoch=position.epoch + 1,
                epochs=config.epochs,
                step=position.step,
                total_steps=position.step + left,
                nats_per_token=nats_per_token,
                tokens_per_second=meter.tokens / meter.seconds,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                seconds_left=left * meter.seconds / meter.batches,
            )
        )
        meter.reset()

    def _validate_epoch(self) -> None:
        """Score the averaged weights, keep them if they are among the best, save the state."""
        start = time.monotonic()
        position = self._position
        with self._average.applied():
            validation = self._validate_quietly()
            is_best, dropped = self._selection.add(validation.score, position.step)
            report = ValidationReport(
                validation,
                epoch=position.epoch + 1,
                step=position.step,
                best_score=self._selection.best[0][0],
                is_best=is_best,
                validations_since_best=self._selection.validations_since_best,
                seconds=time.monotonic() - start,
            )
            if position.step not in dropped:
                self._checkpoints.save_weights(position.step, self._model_weights())
            if is_best:
                self._publish(report)
        self._reporter.validated(report)
        position.epoch += 1
        position.batch = 0
        self.save()
        self._checkpoints.remove_weights(step for step in dropped if step != position.step)
        if self._stop_asked:
            self._stop()

    def _finish(self) -> None:
        """Publish the mean of the best checkpoints if it is better than the best of them."""
        best = self._selection.best
        if len(best) < 2:
            return
        mean = self._checkpoints.average_weights(step for _, step in best)
        for name, parameter in self._model.named_parameters():
            parameter.data.copy_(mean[name])
        start = time.monotonic()
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
                    step=self._position.step,
                    best_score=validation.score,
                    is_best=True,
                    validations_since_best=0,
                    seconds=time.monotonic() - start,
                )
            )

    def _validate_quietly(self) -> Validation:
        """Validate in evaluation mode, without a trace in the random numbers of training."""
        self._model.eval()
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            return self._validate()

    def _model_weights(self) -> dict[str, Tensor]:
        """The parameters by name, each tied one once."""
        return {name: tensor.detach() for name, tensor in self._model.named_parameters()}

    def _stop(self) -> None:
        self.save()
        raise Interrupted(
            f"stopped at step {self._position.step}, epoch {self._position.epoch + 1}",
            why="you asked for it; nothing is lost",
            fix="Go on with the same command and --resume",
        )

    @contextmanager
    def _signals_noted(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM end the step under way; a second Ctrl-C ends at once."""

        def note(number: int, _: object) -> None:
            if self._stop_asked:
                raise KeyboardInterrupt
            self._stop_asked = True
            self._reporter.message("stopping after this step; the state is saved")

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Meter:
    """Sums over the batches since the last report; nothing is read off the device before it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.batches = 0
        self.tokens = 0
        self._nats: Tensor | float = 0.0
        self._masks: list[Tensor] = []
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def add(self, nats: Tensor, batch: Batch) -> None:
        self.batches += 1
        self._nats = self._nats + nats
        self._masks.append(batch.target_mask_BT.sum())

    def nats_per_token(self) -> float:
        self.tokens = int(sum(mask.item() for mask in self._masks))
        return float(self._nats) / self.tokens
