"""The gradient of cross-entropy by the logits, in their place."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqcli.nn.compiled.arithmetic import ONE, exp, narrow, widen
from seqcli.nn.compiled.compiler import Row, carray, inner, loop
from seqcli.nn.compiled.threads import ThreadedCall, layout_of, matrix, next_share, vector, wide

ARGUMENTS = layout_of(
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


@inner
def _differentiate(pointer: Any, stored: Any) -> None:
    """Replace the logits, to which the bias is yet to be added, by the gradient."""
    arguments = carray(pointer, 1, ARGUMENTS)[0]
    rows, entries = arguments.rows, arguments.entries
    logits = matrix(arguments.logits, rows, entries, stored)
    bias = vector(arguments.bias, entries, np.float32)
    targets = vector(arguments.targets, rows, np.int64)
    off_target = vector(arguments.off_target, 1, np.float32)[0]
    normalizers = vector(arguments.normalizers, rows, np.float32)
    target_logits = vector(arguments.target_logits, rows, np.float32)
    of_bias = matrix(arguments.of_bias, arguments.shares, entries, np.float32)
    scratch, lane_maxima = np.empty(entries, np.float32), np.empty(LANES, np.float32)
    share = next_share(pointer)
    while share < arguments.shares:
        for row in range(rows * share // arguments.shares, rows * (share + 1) // arguments.shares):
            target = targets[row]
            maximum = _add_bias(logits[row], bias, scratch, lane_maxima)
            target_logits[row] = scratch[target]
            total = _exponentiate(scratch, maximum)
            normalizers[row] = maximum + np.log(total)
            scratch[target] += off_target * total
            _normalize(scratch, ONE / total, of_bias[share], logits[row])
        share = next_share(pointer)


@loop
def _add_bias(stored: Row, bias: Row, logits: Row, lane_maxima: Row) -> Any:
    """Make the logits, and return the largest that is a number."""
    whole = len(logits) - len(logits) % LANES
    lane_maxima[:] = -np.inf
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            logit = widen(stored[start + lane]) + bias[start + lane]
            logits[start + lane] = logit
            lane_maxima[lane] = logit if logit > lane_maxima[lane] else lane_maxima[lane]
    for entry in range(whole, len(logits)):
        logits[entry] = widen(stored[entry]) + bias[entry]
        lane_maxima[0] = max(lane_maxima[0], logits[entry])
    maximum = lane_maxima[0]
    for lane in range(1, LANES):
        maximum = max(maximum, lane_maxima[lane])
    return maximum


@loop
def _exponentiate(logits: Row, maximum: np.float32) -> np.float32:
    """Replace each logit by the exponential of its distance from the largest; return their sum."""
    total = np.float32(0)
    for entry in range(len(logits)):
        logits[entry] = exp(logits[entry] - maximum)
        total += logits[entry]
    return total


@loop
def _normalize(values: Row, factor: np.float32, sums: Row, stored: Row) -> None:
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
    wide_bias_V = wide(bias_V)
    figures_2R = wide_bias_V.new_empty(2, rows)
    of_bias_PV = wide_bias_V.new_zeros(torch.get_num_threads(), entries)  # a row for each share
    call = ThreadedCall(
        BY_FORMAT[products_RV.dtype],
        ARGUMENTS,
        {
            "rows": rows,
            "entries": entries,
            "logits": products_RV,
            "bias": wide_bias_V,
            "targets": targets_R.to(torch.int64).contiguous(),
            "off_target": wide_bias_V.new_full((1,), off_target),
            "normalizers": figures_2R[0],
            "target_logits": figures_2R[1],
            "of_bias": of_bias_PV,
        },
    )
    call(products_RV.numel())
    return figures_2R, of_bias_PV.sum(0)
