"""One update of a model's weights from one batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqcli.data.batch import Batch
from seqcli.training.config import TrainingConfig
from seqcli.training.meter import Meter
from seqcli.training.optimizer import AveragedWeights, make_optimizer
from seqcli.training.precision import choose_precision
from seqcli.training.schedule import learning_rate_factor, warmup_within


class Updater:
    """Moves the weights of `model` against the gradient, and their slow average after them.

    `loss(batch)` returns two sums over the batch's targets, in nats: the loss and the
    negative log-likelihood.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        loss: Callable[[Any], tuple[Tensor, Tensor]],
    ) -> None:
        self._model = model
        self._config = config
        self._loss = loss
        self._parameters = list(model.parameters())
        self.device = self._parameters[0].device
        self._on_cuda = self.device.type == "cuda"
        self._dtype = choose_precision(config.precision, self.device)
        self._optimizer = make_optimizer(
            self._parameters, learning_rate=config.learning_rate, weight_decay=config.weight_decay
        )
        self.average = AveragedWeights(self._parameters, decay=config.ema_decay)
        self.step = 0  # updates so far

    @property
    def learning_rate(self) -> float:
        """The rate of the last update."""
        return float(self._optimizer.param_groups[0]["lr"])

    def in_warmup(self, total_steps: int) -> bool:
        """Whether the rate of a training of `total_steps` still rises."""
        return self.step < warmup_within(total_steps, warmup_steps=self._config.warmup_steps)

    def update(self, batch: Batch, meter: Meter, *, total_steps: int) -> None:
        """Make one update of `total_steps`, and tell the meter."""
        batch = batch.to(self.device)
        factor = learning_rate_factor(
            self._config.schedule,
            self.step,
            warmup_steps=self._config.warmup_steps,
            total_steps=total_steps,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * factor
        bfloat16 = self._dtype == torch.bfloat16
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            loss, negative_log_likelihood = self._loss(batch)
        targets = batch.num_targets
        self._optimizer.zero_grad(set_to_none=True)
        (loss / targets).backward()
        del loss  # and with it what the steps of loops have kept for their gradients
        norm = nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm, foreach=True)
        self._optimizer.step()
        self.step += 1
        self.average.update(self.step)
        meter.add(nats=negative_log_likelihood.detach(), tokens=targets, gradient_norm=norm)

    def state(self) -> dict[str, Any]:
        """All that the next update depends on, random numbers included."""
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self.average.tensors,
            "step": self.step,
            "bfloat16": self._dtype == torch.bfloat16,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self._on_cuda else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state. Raises KeyError, TypeError, ValueError or RuntimeError if it is none.

        On another kind of device the random numbers of dropout go another way from here.
        """
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        for average, saved in zip(self.average.tensors, state["average"], strict=True):
            average.copy_(saved)
        self.step = state["step"]
        self._dtype = torch.bfloat16 if state["bfloat16"] else torch.float32
        torch.set_rng_state(state["random"])
        if self._on_cuda and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)
