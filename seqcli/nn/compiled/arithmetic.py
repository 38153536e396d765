"""Formulas over float32 that LLVM computes for many places at once, and how bfloat16 is stored.

Neither numba nor LLVM brings an exponential that does so. numpy knows no bfloat16: it is held as
the upper half of a float32, in a uint16.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from seqcli.nn.compiled.compiler import Generated, formula, intrinsic

BITS, HALF, FLOAT = ir.IntType(32), ir.IntType(16), ir.FloatType()
HALF_WIDTH = ir.Constant(BITS, 16)  # of a float32, in bits
MANTISSA_WIDTH, EXPONENT_BIAS = ir.Constant(BITS, 23), ir.Constant(BITS, 127)
NO_NUMBER = ir.Constant(HALF, 0x7FC0)  # as torch writes it
BELOW_HALF, ONE_BIT = ir.Constant(BITS, 0x7FFF), ir.Constant(BITS, 1)

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
SMALLEST = np.float32(-87)  # below it the exponential would soon have fewer digits
TO_INTEGER = np.float32(1.5 * 2**23)  # added to a float32, it leaves no place behind the point
LOG2_E = np.float32(1.4426950408889634)
LN_2_UPPER, LN_2_LOWER = np.float32(0.693145751953125), np.float32(1.42860682030941723212e-6)
# 1 / n!, each but for what makes the polynomial best between -ln(2) / 2 and ln(2) / 2
C2, C3, C4, C5, C6, C7 = map(
    np.float32,
    (
        5.0000001201e-1,
        1.6666665459e-1,
        4.1665795894e-2,
        8.3334519073e-3,
        1.3981999507e-3,
        1.9875691500e-4,
    ),
)


@intrinsic
def widen(context: object, stored: Any) -> Generated:
    """Return the float32 of a stored number."""

    def generate(_: object, builder: Any, signature: Any, given: Any) -> Any:
        if stored == types.float32:
            return given[0]
        bits = builder.shl(builder.zext(given[0], BITS), HALF_WIDTH)
        return builder.bitcast(bits, FLOAT)

    return types.float32(stored), generate


@intrinsic
def narrow(context: object, number: Any, like: Any) -> Generated:
    """Return a float32 as it is stored where `like` is: rounded to the nearest, ties to even."""

    def generate(_: object, builder: Any, signature: Any, given: Any) -> Any:
        if like == types.float32:
            return given[0]
        bits = builder.bitcast(given[0], BITS)
        is_odd = builder.and_(builder.lshr(bits, HALF_WIDTH), ONE_BIT)
        rounded = builder.add(builder.add(bits, BELOW_HALF), is_odd)
        stored = builder.trunc(builder.lshr(rounded, HALF_WIDTH), HALF)
        is_number = builder.fcmp_ordered("ord", given[0], given[0])
        return builder.select(is_number, stored, NO_NUMBER)

    return like(types.float32, like), generate


@intrinsic
def _power_of_two(context: object, shifted: Any) -> Generated:
    """Return 2 to the power of n, given n + TO_INTEGER, whose last bits are those of n."""

    def generate(_: object, builder: Any, signature: Any, given: Any) -> Any:
        exponent = builder.add(builder.bitcast(given[0], BITS), EXPONENT_BIAS)
        return builder.bitcast(builder.shl(exponent, MANTISSA_WIDTH), FLOAT)

    return types.float32(types.float32), generate


@formula
def exp(x: np.float32) -> np.float32:
    """Return the exponential of x, 0 if it is below `SMALLEST`; from 88 on it is not defined.

    exp(x) = 2^n exp(x - n ln 2), the latter by a polynomial (Moshier, Cephes library).
    """
    shifted = max(x, SMALLEST) * LOG2_E + TO_INTEGER
    n = shifted - TO_INTEGER
    r = (x - n * LN_2_UPPER) - n * LN_2_LOWER
    higher = ((((C7 * r + C6) * r + C5) * r + C4) * r + C3) * r + C2
    power = (higher * r * r + r + ONE) * _power_of_two(shifted)
    return ZERO if x < SMALLEST else power


@formula
def sigmoid(x: np.float32) -> np.float32:
    """Return 1 / (1 + exp(-x))."""
    return ONE / (ONE + exp(-max(x, SMALLEST)))


@formula
def tanh(x: np.float32) -> np.float32:
    """Return the hyperbolic tangent, with the absolute error of a float32 near 1."""
    return TWO * sigmoid(TWO * x) - ONE
