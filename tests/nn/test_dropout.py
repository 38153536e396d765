"""Same-mask dropout and word dropout."""

import pytest
import torch

from seqcli.nn.dropout import VariationalDropout, drop_words


def test_the_same_units_are_dropped_at_every_step() -> None:
    dropped_BSH = VariationalDropout(0.4)(torch.ones(8, 5, 16))
    assert torch.equal(dropped_BSH, dropped_BSH[:, :1].expand(-1, 5, -1))
    assert set(dropped_BSH.unique().tolist()) == {0, torch.tensor(1 / 0.6).item()}


def test_rows_and_calls_differ_in_what_they_drop() -> None:
    dropout = VariationalDropout(0.5)
    ones_BSH = torch.ones(4, 1, 64)
    masks = torch.cat([dropout(ones_BSH), dropout(ones_BSH)]).squeeze(1)
    assert len(masks.unique(dim=0)) == 8


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_the_expectation_is_kept(probability: float) -> None:
    mean = VariationalDropout(probability)(torch.ones(100, 1, 1000)).mean().item()
    deviation = (probability / (1 - probability) / 100_000) ** 0.5
    assert mean == pytest.approx(1, abs=4 * deviation)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_type_of_number_is_kept(dtype: torch.dtype) -> None:
    assert VariationalDropout(0.3)(torch.ones(2, 3, 4, dtype=dtype)).dtype == dtype


def test_gradient_passes_by_the_mask_of_the_values() -> None:
    states_BSH = torch.randn(3, 4, 8, requires_grad=True)
    dropped_BSH = VariationalDropout(0.5)(states_BSH)
    (gradient_BSH,) = torch.autograd.grad(dropped_BSH.sum(), states_BSH)
    torch.testing.assert_close(gradient_BSH * states_BSH, dropped_BSH)


def test_nothing_is_dropped_in_evaluation_or_at_probability_zero() -> None:
    states_BSH = torch.randn(2, 3, 4)
    assert torch.equal(VariationalDropout(0.9).eval()(states_BSH), states_BSH)
    assert torch.equal(VariationalDropout(0.0)(states_BSH), states_BSH)


def test_everything_is_dropped_at_probability_one() -> None:
    assert (VariationalDropout(1.0)(torch.randn(2, 3, 4)) == 0).all()


def test_words_are_dropped_at_the_probability_and_special_ids_never() -> None:
    tokens_BS = torch.randint(0, 10, (100, 200))
    dropped_BS = drop_words(tokens_BS, 0.2, replacement=3, first=4)
    special_BS = tokens_BS < 4
    assert torch.equal(dropped_BS[special_BS], tokens_BS[special_BS])
    changed_BS = dropped_BS != tokens_BS
    assert (dropped_BS[changed_BS] == 3).all()
    words = int((~special_BS).sum())
    deviation = (0.2 * 0.8 / words) ** 0.5
    assert changed_BS.sum().item() / words == pytest.approx(0.2, abs=4 * deviation)


def test_no_word_is_dropped_at_probability_zero_and_each_at_one() -> None:
    tokens_BS = torch.tensor([[5, 6, 2, 0], [4, 3, 1, 2]])
    assert torch.equal(drop_words(tokens_BS, 0.0, replacement=3, first=4), tokens_BS)
    every_BS = drop_words(tokens_BS, 1.0, replacement=3, first=4)
    assert every_BS.tolist() == [[3, 3, 2, 0], [3, 3, 1, 2]]
    assert tokens_BS.tolist() == [[5, 6, 2, 0], [4, 3, 1, 2]]
