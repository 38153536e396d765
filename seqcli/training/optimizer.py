"""The optimizer, and a slow average of the weights it moves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def make_optimizer(
    parameters: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019), fused: one kernel for all parameters."""
    return torch.optim.AdamW(
        parameters, lr=learning_rate, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True
    )


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
