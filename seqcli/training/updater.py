"""One update of a model's weights from one batch, however many parts it is computed in."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqcli.data.batch import Batch
from seqcli.data.batching import PendingBatch
from seqcli.errors import SeqcliError
from seqcli.training.config import TrainingConfig
from seqcli.training.distributed import Processes
from seqcli.training.memory import is_out_of_memory
from seqcli.training.meter import Meter
from seqcli.training.optimizer import (
    AveragedWeights,
    make_optimizer,
    restore_optimizer,
    room_for_states,
)
from seqcli.training.precision import choose_precision
from seqcli.training.schedule import PLATEAU, Plateau, learning_rate_factor, warmup_within


class Updater:
    """Moves the weights of `model` against the gradient, and their slow average after them.

    `loss(batch)` returns two sums over the batch's targets, in nats: the loss and the
    negative log-likelihood. The gradient of an update is that of the mean loss over all targets of
    its batch, whether the batch is computed at once, in parts, or by several processes.
    The random numbers of an update depend on `seed`, its step and the process alone.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        *,
        loss: Callable[[Any], tuple[Tensor, Tensor]],
        seed: int,
        processes: Processes,
        say: Callable[[str], None],
    ) -> None:
        self._model = model
        self._config = config
        self._loss = loss
        self._seed = seed
        self._processes = processes
        self._say = say
        self._has_split = False
        self._parameters = list(model.parameters())
        self.device = self._parameters[0].device
        self._dtype = processes.from_first(lambda: choose_precision(config.precision, self.device))
        self._optimizer = make_optimizer(
            config.optimizer,
            self._parameters,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            momentum=config.momentum,
        )
        self.plateau = Plateau(
            config.plateau_factor,
            patience=config.plateau_patience if config.schedule == PLATEAU else 0,
        )
        self.average = AveragedWeights(self._parameters, decay=config.ema_decay)
        self.step = 0  # updates so far
        self.shares = config.accumulate * processes.count  # budgets of tokens in a batch

    @property
    def learning_rate(self) -> float:
        """The rate of the last update."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def precision(self) -> str:
        """The number format of products, by its name."""
        return str(self._dtype).removeprefix("torch.")

    def in_warmup(self, total_steps: int) -> bool:
        """Whether the rate of a training of `total_steps` still rises."""
        return self.step < warmup_within(total_steps, warmup_steps=self._config.warmup_steps)

    def update(self, batch: PendingBatch, meter: Meter, *, total_steps: int) -> None:
        """Make one update of `total_steps`, and tell the meter."""
        factor = learning_rate_factor(
            self._config.schedule,
            self.step,
            warmup_steps=self._config.warmup_steps,
            total_steps=total_steps,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * factor * self.plateau.factor
        sums = self._processes.average(self._parameters, self._make_gradient(batch))
        norm = nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm, foreach=True)
        self._optimizer.step()
        self.step += 1
        self.average.update(self.step)
        meter.add(batch, sums=sums, gradient_norm=norm)

    def try_out(self, batch: PendingBatch) -> None:
        """Compute a gradient as an update would, and leave everything as it was.

        Raises SeqcliError if there is not enough memory for the optimizer's state, or beside it
        for a single line.
        """
        room = self._room_for_optimizer()  # there by the second update, so held here as well
        longest = max(_deal(batch, self.shares), key=lambda part: part.positions())
        with torch.random.fork_rng(devices=[self.device] if self._on_cuda else []):
            self._accumulate_in_parts([longest], 1)
        del room
        self._optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """All that the next update depends on."""
        return {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "plateau": [self.plateau.drops, self.plateau.fruitless],
            "average": self.average.tensors,
            "step": self.step,
            "shares": self.shares,
            "bfloat16": self._dtype == torch.bfloat16,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state. Raises KeyError, TypeError, ValueError or RuntimeError if it is none.

        Its batches stay as large as they were, however many processes there are now.
        """
        self._model.load_state_dict(state["model"])
        restore_optimizer(self._optimizer, state["optimizer"])
        self.plateau.drops, self.plateau.fruitless = state.get("plateau", (0, 0))
        for average, saved in zip(self.average.tensors, state["average"], strict=True):
            average.copy_(saved)
        self.step = state["step"]
        self.shares = state.get("shares", 1)  # version 0.1 had one and did not say so
        if self._config.precision == "auto":  # what was chosen then holds
            self._dtype = torch.bfloat16 if state["bfloat16"] else torch.float32

    @property
    def _on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def _room_for_optimizer(self) -> list[Tensor]:
        try:
            return room_for_states(self._optimizer)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            count = sum(parameter.numel() for parameter in self._parameters)
            raise SeqcliError(
                f"what the optimizer gathers of {count:,} parameters does not fit into memory",
                why="the training would fail at its first update",
                fix="Lower the sizes of the model or tokenizer.vocabulary_size; "
                "training.optimizer='sgd' needs the least",
            ) from error

    def _make_gradient(self, batch: PendingBatch) -> Tensor:
        """Leave the gradient of this process's share; return its nats and number of targets."""
        dealt = _deal(batch, self._processes.count)
        own = dealt[self._processes.rank : self._processes.rank + 1]  # none of a small batch
        return self._accumulate_in_parts(own, math.ceil(self.shares / self._processes.count))

    def _accumulate_in_parts(self, shares: Sequence[PendingBatch], num_parts: int) -> Tensor:
        """Do as `_accumulate` with each share in so many parts, or more where memory runs out.

        Raises SeqcliError if there is not enough for a single line.
        """
        while True:
            parts = [part for share in shares for part in _deal(share, num_parts)]
            self._seed_update()
            sums, too_large = self._accumulate(parts)
            if too_large is None:
                return sums
            if len(too_large) == 1:
                raise SeqcliError(
                    f"{too_large.places()[0]} does not fit into memory",
                    why="a line is the least that a gradient can be computed of",
                    fix="Lower data.max_length so that it is left out, or shorten it",
                )
            self._tell_of_split(too_large)
            num_parts *= 2

    def _accumulate(self, parts: Sequence[PendingBatch]) -> tuple[Tensor, PendingBatch | None]:
        """Add up the gradients of the mean loss over all parts, and count nats and targets.

        Returns what was counted, and the part for which there was not enough memory, if any.
        """
        self._optimizer.zero_grad(set_to_none=True)
        batches: list[Batch] = [part.make() for part in parts]
        targets = sum(batch.num_targets for batch in batches)
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        sums[1].fill_(targets)  # unlike a copy, this does not wait for the device
        for part, batch in zip(parts, batches, strict=True):
            nats = self._add_gradient(batch, targets)
            if nats is None:
                return sums, part
            sums[0] += nats
        return sums, None

    def _add_gradient(self, batch: Batch, targets: int) -> Tensor | None:
        """Add to the gradient; return the negative log-likelihood, or None if memory ran out."""
        try:
            batch = batch.to(self.device)
            bfloat16 = self._dtype == torch.bfloat16
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
                loss, negative_log_likelihood = self._loss(batch)
            (loss / targets).backward()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return negative_log_likelihood.detach()

    def _seed_update(self) -> None:
        """Let dropout depend on nothing that came before, so that a state need not hold it."""
        name = f"{self._seed} {self.step} {self._processes.rank}"
        torch.manual_seed(random.Random(name).getrandbits(63))

    def _tell_of_split(self, batch: PendingBatch) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        if self._on_cuda:
            torch.cuda.empty_cache()
        if not self._has_split:
            self._has_split = True
            self._say(
                f"a batch of {len(batch)} rows did not fit into memory at step {self.step + 1}: it "
                "is computed in parts, as all others that do not fit"
            )


def _deal(batch: PendingBatch, parts: int) -> Sequence[PendingBatch]:
    """Deal a batch out; one that stays whole keeps its rows in order."""
    return [batch] if parts == 1 else batch.split(parts)
