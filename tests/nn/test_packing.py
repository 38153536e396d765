"""The order of steps against the tokens of each row, one by one."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.masks import Reading
from seqcli.nn.packing import Packing, WholePacking
from tests.nn.padding import mask_of

LENGTHS = [2, 5, 1, 5]
STEPS = 6  # one more than the longest row has
MASK_BS = torch.nn.functional.pad(mask_of(LENGTHS), (0, 1))
READINGS = {"none": None, "padded": Reading(MASK_BS)}

each_reading = pytest.mark.parametrize("name", READINGS)


def tokens_BSH() -> Tensor:  # noqa: N802  # a tensor's name ends in its axes
    """Tokens that tell their row and place."""
    row_B, place_S = torch.arange(4.0), torch.arange(float(STEPS))
    return torch.stack(torch.meshgrid(row_B, place_S, indexing="ij"), dim=2).requires_grad_()


def lengths_of(name: str) -> list[int]:
    return [STEPS] * 4 if name == "none" else LENGTHS


def packing_of(name: str) -> Packing:
    reading = READINGS[name]
    return reading.packing if reading else WholePacking(4, STEPS)


@each_reading
def test_each_step_holds_the_tokens_of_its_place_and_the_rows_of_the_step_before(name: str) -> None:
    packing = packing_of(name)
    rows_before = list(range(4))
    row_B = packing.arrange(torch.arange(4.0).unsqueeze(1))[:, 0]
    for place, tokens_NH in enumerate(packing.pack(tokens_BSH()).split(packing.sizes)):
        rows = tokens_NH[:, 0].int().tolist()
        assert (tokens_NH[:, 1] == place).all()
        assert set(rows) == {row for row, length in enumerate(lengths_of(name)) if place < length}
        assert rows == row_B[: len(rows)].int().tolist()
        assert set(rows) <= set(rows_before)
        rows_before = rows


@each_reading
def test_no_step_is_empty(name: str) -> None:
    packing = packing_of(name)
    assert len(packing.sizes) == max(lengths_of(name))
    assert sum(packing.sizes) == sum(lengths_of(name))


@each_reading
def test_unpacked_tokens_are_where_they_were_and_padding_is_zero(name: str) -> None:
    packing = packing_of(name)
    mask_BS = torch.arange(STEPS) < torch.tensor(lengths_of(name)).unsqueeze(1)
    given_BSH = tokens_BSH()
    unpacked_BSH = packing.unpack(packing.pack(given_BSH))
    assert torch.equal(unpacked_BSH, given_BSH * mask_BS.unsqueeze(2))
    unpacked_BSH.sum().backward()
    assert torch.equal(given_BSH.grad, mask_BS.unsqueeze(2).expand(-1, -1, 2).float())


@each_reading
def test_the_last_token_of_each_row_is_found(name: str) -> None:
    packing = packing_of(name)
    expected = [[row, length - 1] for row, length in enumerate(lengths_of(name))]
    assert packing.last(packing.pack(tokens_BSH())).tolist() == expected
