"""Whether bfloat16 is right and faster on this machine, found by trying it."""

import functools
import time

import torch
from torch import Tensor, nn

REPEATS = 3
LARGEST_ERROR = 0.05  # of bfloat16 states against float32 ones, which lie in -1 to 1


@functools.cache
def bfloat16_pays_on_cpu() -> bool:
    """Train one LSTM layer for a step in both types; without oneDNN, bfloat16 is far slower.

    The answer is kept for the life of the process; no random number of others is used up.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        layer = nn.LSTM(256, 256, batch_first=True)
        inputs_BSE = torch.randn(32, 8, 256)
        exact_BSH, exact_seconds = _train_step(layer, inputs_BSE, bfloat16=False)
        rough_BSH, rough_seconds = _train_step(layer, inputs_BSE, bfloat16=True)
    error = (rough_BSH - exact_BSH).abs().max().item()
    return rough_seconds < exact_seconds and error < LARGEST_ERROR


def _train_step(layer: nn.LSTM, inputs_BSE: Tensor, *, bfloat16: bool) -> tuple[Tensor, float]:
    """Return the layer's states and the fewest seconds that a step took."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            states_BSH, _ = layer(inputs_BSE)
        states_BSH.float().square().sum().backward()
        seconds.append(time.perf_counter() - start)
    return states_BSH.detach().float(), min(seconds)
