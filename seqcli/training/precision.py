"""The number format of a training: bfloat16 where it is faster and right, else float32."""

import functools
import math
import os
import time

import torch

from seqcli.nn.cells import LSTMLayer

PRECISIONS = ("auto", "float32", "bfloat16")
EXACT_WORKSPACE = ":16:8"  # of cuBLAS: the size that is exact for matrix products and LSTMs alike
PROBE_REPEATS = 7  # in turns, so that what else runs then slows both
LARGEST_ERROR = 0.05  # of bfloat16 states against float32 ones, which lie in -1 to 1


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """Resolve "auto" by a probe, once a process: is a bfloat16 LSTM right and faster here?"""
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _bfloat16_pays_on_cpu() else torch.float32


def compute_exactly(wanted: bool) -> None:
    """Choose whether CUDA is to give the same numbers each time, at a price in speed and memory.

    To be called before the device's first use. The processor does so anyway.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", EXACT_WORKSPACE)
    if wanted != torch.are_deterministic_algorithms_enabled():  # the switch itself is slow
        torch.use_deterministic_algorithms(wanted)


@functools.cache
def _bfloat16_pays_on_cpu() -> bool:
    """Train one LSTM layer in both types; without oneDNN, bfloat16 is far slower.

    In one thread: two would wait for each other where something else runs, and the times tell
    nothing.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds, error = _probe()
    except RuntimeError:  # this processor cannot
        return False
    finally:
        torch.set_num_threads(num_threads)
    return seconds[torch.bfloat16] < seconds[torch.float32] and error < LARGEST_ERROR


def _probe() -> tuple[dict[torch.dtype, float], float]:
    """Return the least time of a step in both types, and how far their states are apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = LSTMLayer(input_size=256, hidden_size=256)
        inputs_BSE = torch.randn(32, 8, 256)
    dtypes, outputs = (torch.float32, torch.bfloat16), {}
    seconds = dict.fromkeys(dtypes, math.inf)
    for dtype in dtypes * PROBE_REPEATS:
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs[dtype] = layer(inputs_BSE)[0]
        outputs[dtype].float().square().sum().backward()
        seconds[dtype] = min(seconds[dtype], time.perf_counter() - start)
    difference_BSH = outputs[torch.bfloat16].float() - outputs[torch.float32]
    return seconds, difference_BSH.abs().max().item()
