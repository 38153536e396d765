"""The order of steps against the tokens of each row, one by one."""

import pytest
import torch
from torch import Tensor

from seqcli.nn import packing as packing_module
from seqcli.nn.packing import Packing, RealPacking, WholePacking
from tests.nn.padding import mask_of

LENGTHS = [2, 5, 1, 5]
STEPS = 6  # one more than the longest row has
MASK_BS = torch.nn.functional.pad(mask_of(LENGTHS), (0, 1))

each_way = pytest.mark.parametrize(
    ("name", "few_rows"), [("none", 1), *(("padded", few) for few in (1, 2, 3, 16))]
)


def tokens_BSH() -> Tensor:  # noqa: N802  # a tensor's name ends in its axes
    """Tokens that tell their row and place."""
    row_B, place_S = torch.arange(4.0), torch.arange(float(STEPS))
    return torch.stack(torch.meshgrid(row_B, place_S, indexing="ij"), dim=2).requires_grad_()


def lengths_of(name: str) -> list[int]:
    return [STEPS] * 4 if name == "none" else LENGTHS


def packing_of(name: str, few_rows: int) -> Packing:
    if name == "none":
        return WholePacking(4, STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing_module, "FEW_ROWS", few_rows)
        return RealPacking(MASK_BS)


@each_way
def test_each_step_holds_its_real_tokens_and_first_rows_of_the_step_before(
    name: str, few_rows: int
) -> None:
    packing = packing_of(name, few_rows)
    row_B = packing.arrange(torch.arange(4.0).unsqueeze(1))[:, 0]
    size_before = 4
    for place, tokens_NH in enumerate(packing.pack(tokens_BSH()).split(packing.sizes)):
        rows = tokens_NH[:, 0].int().tolist()
        real = {row for row, length in enumerate(lengths_of(name)) if place < length}
        assert (tokens_NH[:, 1] == place).all()
        assert set(rows[: len(real)]) == real
        assert rows == row_B[: len(rows)].int().tolist()
        assert len(rows) <= size_before
        size_before = len(rows)


@each_way
def test_a_step_has_a_multiple_of_few_rows_or_all_of_them(name: str, few_rows: int) -> None:
    """The real ones and fewer than that of padding."""
    packing = packing_of(name, few_rows)
    lengths = lengths_of(name)
    assert len(packing.sizes) == max(lengths)
    for place, size in enumerate(packing.sizes):
        real = sum(place < length for length in lengths)
        assert 0 <= size - real < few_rows
        assert size % few_rows == 0 or size == 4


@each_way
def test_unpacked_tokens_are_where_they_were_and_padding_is_zero(name: str, few_rows: int) -> None:
    packing = packing_of(name, few_rows)
    mask_BS = torch.arange(STEPS) < torch.tensor(lengths_of(name)).unsqueeze(1)
    given_BSH = tokens_BSH()
    unpacked_BSH = packing.unpack(packing.pack(given_BSH))
    assert torch.equal(unpacked_BSH, given_BSH * mask_BS.unsqueeze(2))
    unpacked_BSH.sum().backward()
    assert torch.equal(given_BSH.grad, mask_BS.unsqueeze(2).expand(-1, -1, 2).float())


@each_way
def test_the_last_token_of_each_row_is_found(name: str, few_rows: int) -> None:
    packing = packing_of(name, few_rows)
    expected = [[row, length - 1] for row, length in enumerate(lengths_of(name))]
    assert packing.last(packing.pack(tokens_BSH())).tolist() == expected
