"""The optimizers, and a slow average of the weights that they move."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.98)  # of the means of gradients and of their squares (Vaswani et al., 2017)

log = logging.getLogger(__name__)


OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,  # decay apart from the gradient (Loshchilov and Hutter, 2019)
    "adam": torch.optim.Adam,  # Kingma and Ba (2015); the decay is part of the gradient
    "sgd": torch.optim.SGD,  # gradient descent with momentum; the decay is part of the gradient
}
SGD = "sgd"  # the one with a momentum, and without moments


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
) -> torch.optim.Optimizer:
    """Make one of `OPTIMIZERS`; all are fused: one kernel a step."""
    kind: Callable[..., torch.optim.Optimizer] = OPTIMIZERS[name]
    own = {"momentum": momentum} if name == SGD else {"betas": BETAS}
    return kind(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True, **own)


def numbers_kept(name: str, *, momentum: float) -> int:
    """How many numbers one of `OPTIMIZERS` keeps of each parameter: its moments or momentum."""
    return int(momentum > 0) if name == SGD else 2


def room_for_states(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Take as much memory as the first step is going to keep; none once it was made.

    That is two moments of Adam, or one momentum, for each parameter.
    """
    group = optimizer.param_groups[0]
    kept = 2 if "betas" in group else int(group["momentum"] > 0)
    new = [parameter for parameter in group["params"] if parameter not in optimizer.state]
    return [torch.empty_like(parameter) for parameter in new for _ in range(kept)]


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Take over what an optimizer has gathered of past gradients; the settings stay those of now.

    What one of another kind has gathered is of no use: there it begins anew. Raises KeyError or
    ValueError if it is no state of these parameters.
    """
    own, saved = optimizer.param_groups[0], state["param_groups"][0]
    if ("betas" in own) != ("betas" in saved):
        log.warning("the optimizer is another now: it begins without the gradients of the past")
        return
    groups = optimizer.state_dict()["param_groups"]
    if len(groups[0]["params"]) != len(saved["params"]):
        raise ValueError(
            f"it has {len(saved['params'])} parameters, not {len(groups[0]['params'])}"
        )
    groups[0]["lr"] = saved["lr"]  # of the last update
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})


class AveragedWeights:
    """Exponential moving average of the parameters (Polyak and Juditsky, 1992).

    The average forgets its first steps fast: the decay rises from 0 to `decay`.
    A decay of 0 makes the average equal to the parameters.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, decay: float) -> None:
        self._parameters: list[Tensor] = list(parameters)
        self._decay = decay
        self.tensors = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after `step` updates."""
        decay = min(self._decay, step / (step + 9))
        current: list[Tensor] = [parameter.detach() for parameter in self._parameters]
        torch._foreach_lerp_(self.tensors, current, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model use the average inside the block, and its own weights after it."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self.tensors)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, own)
