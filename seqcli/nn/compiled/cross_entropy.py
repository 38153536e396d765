"""The gradient of cross-entropy by the logits, in their place."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqcli.nn.compiled.arithmetic import ONE, exp, narrow, widen
from seqcli.nn.compiled.compiler import carray, loop, part
from seqcli.nn.compiled.threads import ThreadedCall, arguments, matrix, next_share, vector, wide

ARGUMENTS = arguments(
    "rows",
    "entries",
    "logits",
    "bias",
    "targets",
    "off_target",  # one number: what is added to the gradient of each target
    "normalizers",  # logarithms of the sums of exponentials
    "target_logits",
    "of_bias",
)
LANES = 64  # that are compared at a time: LLVM does not see that a maximum has no order

Row = np.ndarray[Any, Any]


@part
def _differentiate(pointer: Any, stored: Any) -> None:
    """Replace the logits, to which the bias is yet to be added, by the gradient."""
    given = carray(pointer, 1, ARGUMENTS)[0]
    rows, entries = given.rows, given.entries
    logits = matrix(given.logits, rows, entries, stored)
    bias = vector(given.bias, entries, np.float32)
    targets = vector(given.targets, rows, np.int64)
    off_target = vector(given.off_target, 1, np.float32)[0]
    normalizers = vector(given.normalizers, rows, np.float32)
    target_logits = vector(given.target_logits, rows, np.float32)
    of_bias = matrix(given.of_bias, given.shares, entries, np.float32)
    room, largest = np.empty(entries, np.float32), np.empty(LANES, np.float32)
    share = next_share(pointer)
    while share < given.shares:
        for row in range(rows * share // given.shares, rows * (share + 1) // given.shares):
            target = targets[row]
            most = _largest(logits[row], bias, room, largest)
            target_logits[row] = room[target]
            total = _exponentials(room, most)
            normalizers[row] = most + np.log(total)
            room[target] += off_target * total
            _store(room, ONE / total, of_bias[share], logits[row])
        share = next_share(pointer)


@loop
def _largest(stored: Row, bias: Row, logits: Row, largest: Row) -> Any:
    """Add the bias, and return the largest logit that is a number."""
    whole = len(logits) - len(logits) % LANES
    largest[:] = -np.inf
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            logit = widen(stored[start + lane]) + bias[start + lane]
            logits[start + lane] = logit
            largest[lane] = logit if logit > largest[lane] else largest[lane]
    for entry in range(whole, len(logits)):
        logits[entry] = widen(stored[entry]) + bias[entry]
        largest[0] = max(largest[0], logits[entry])
    most = largest[0]
    for lane in range(1, LANES):
        most = max(most, largest[lane])
    return most


@loop
def _exponentials(logits: Row, most: np.float32) -> np.float32:
    """Replace each logit by the exponential of its distance from the largest; return their sum."""
    total = np.float32(0)
    for entry in range(len(logits)):
        logits[entry] = exp(logits[entry] - most)
        total += logits[entry]
    return total


@loop
def _store(values: Row, factor: np.float32, sums: Row, stored: Row) -> None:
    for entry in range(len(values)):
        gradient = values[entry] * factor
        sums[entry] += gradient
        stored[entry] = narrow(gradient, stored[entry])


def _differentiate_bfloat16(pointer: Any) -> None:
    _differentiate(pointer, np.uint16)


def _differentiate_float32(pointer: Any) -> None:
    _differentiate(pointer, np.float32)


BY_FORMAT = {torch.bfloat16: _differentiate_bfloat16, torch.float32: _differentiate_float32}


def differentiate(
    products_RV: Tensor, bias_V: Tensor, targets_R: Tensor, off_target: float
) -> tuple[Tensor, Tensor]:
    """Replace products, by which the logits are but for the bias, by the gradient of their loss.

    It is that of the sum of cross-entropies, but for `off_target` in place of -1 at each target.
    Returns normalizers (logarithms of the sums of exponentials) and logits of the targets in one
    tensor, and gradient_V, summed over the rows. Raises IndexError if a target is no entry.
    """
    rows, entries = products_RV.shape
    if rows and not 0 <= targets_R.min() <= targets_R.max() < entries:
        raise IndexError(f"a target is not among the {entries} entries")
    figures_2R = products_RV.new_empty(2, rows, dtype=torch.float32)
    of_bias_PV = figures_2R.new_zeros(torch.get_num_threads(), entries)
    call = ThreadedCall(
        BY_FORMAT[products_RV.dtype],
        ARGUMENTS,
        {
            "rows": rows,
            "entries": entries,
            "logits": products_RV,
            "bias": wide(bias_V),
            "targets": targets_R.contiguous(),
            "off_target": torch.tensor(off_target),
            "normalizers": figures_2R[0],
            "target_logits": figures_2R[1],
            "of_bias": of_bias_PV,
        },
    )
    call(products_RV.numel())
    return figures_2R, of_bias_PV.sum(0)
