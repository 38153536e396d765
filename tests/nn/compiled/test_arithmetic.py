"""Formulas against torch's in float64, and stored numbers against torch's bfloat16."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import torch

from seqcli.nn.compiled import arithmetic
from seqcli.nn.compiled.arithmetic import SMALLEST, narrow, widen

FINITE = np.concatenate([np.linspace(-100, 87.9, 200_001), np.linspace(-1e-3, 1e-3, 2001)])
NUMBERS = FINITE.astype(np.float32)


def each(formula: Callable[..., Any], numbers: np.ndarray) -> np.ndarray:
    """Return the formula of every number, computed as a loop of kernels does it."""

    @numba.njit(error_model="numpy")
    def run(numbers: np.ndarray, results: np.ndarray) -> None:
        for place in range(len(numbers)):
            results[place] = formula(numbers[place])

    results = np.empty_like(numbers)
    run(numbers, results)
    return results


def test_an_exponential_is_right_to_the_last_digit_but_one() -> None:
    numbers = NUMBERS[NUMBERS >= SMALLEST]
    exact = np.exp(numbers.astype(np.float64))
    error = np.abs(each(arithmetic.exp, numbers) - exact) / exact
    assert error.max() < 2 * np.finfo(np.float32).eps


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_what_squashes_is_right_to_float32_around_one(name: str) -> None:
    found = each(getattr(arithmetic, name), NUMBERS)
    exact = getattr(torch, name)(torch.from_numpy(NUMBERS).double()).numpy()
    assert np.abs(found - exact).max() < 4 * np.finfo(np.float32).eps
    assert found.max() == 1


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_what_is_no_number_stays_so_and_the_ends_are_reached(name: str) -> None:
    ends = np.float32([np.nan, -np.inf, -1e30])
    found = each(getattr(arithmetic, name), ends)
    exact = getattr(torch, name)(torch.from_numpy(ends)).numpy()
    np.testing.assert_allclose(found, exact, atol=1e-37)
    if name != "exp":
        assert each(getattr(arithmetic, name), np.float32([np.inf, 1e30])).tolist() == [1, 1]


def test_every_bfloat16_is_widened_as_torch_does() -> None:
    stored = np.arange(2**16, dtype=np.uint16)

    @numba.njit
    def run(stored: np.ndarray, wide: np.ndarray) -> None:
        for place in range(len(stored)):
            wide[place] = widen(stored[place])

    wide = np.empty(2**16, np.float32)
    run(stored, wide)
    expected = torch.from_numpy(stored).view(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(wide, expected)


def test_a_number_is_narrowed_as_torch_rounds_it_ties_to_even() -> None:
    upper = np.arange(0, 2**16, 7, dtype=np.uint32) << 16
    bits = np.concatenate([upper + lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    wide = bits.astype(np.uint32).view(np.float32)

    @numba.njit
    def run(wide: np.ndarray, stored: np.ndarray) -> None:
        for place in range(len(wide)):
            stored[place] = narrow(wide[place], stored[place])

    stored = np.empty(len(wide), np.uint16)
    run(wide, stored)
    expected = torch.from_numpy(wide).bfloat16().view(torch.uint16).numpy()
    is_number = ~np.isnan(wide)
    assert is_number.mean() > 0.9
    np.testing.assert_array_equal(stored[is_number], expected[is_number])
    assert torch.from_numpy(stored[~is_number]).view(torch.bfloat16).isnan().all()
