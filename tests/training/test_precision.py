import os

import pytest
import torch

from seqcli.training import precision
from seqcli.training.precision import choose_precision, compute_exactly

CPU = torch.device("cpu")


def test_the_probe_leaves_no_trace_in_the_random_numbers() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    precision._bfloat16_pays_on_cpu.cache_clear()
    choose_precision("auto", CPU)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


@pytest.mark.parametrize("pays", [True, False])
def test_auto_does_what_the_probe_says_and_a_named_type_is_not_probed(
    pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_bfloat16_pays_on_cpu", lambda: pays)
    assert choose_precision("auto", CPU) == (torch.bfloat16 if pays else torch.float32)
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16


def test_without_one_dnn_bfloat16_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    precision._bfloat16_pays_on_cpu.cache_clear()
    assert choose_precision("auto", CPU) == torch.float32
    precision._bfloat16_pays_on_cpu.cache_clear()


def test_a_processor_that_cannot_compute_in_bfloat16_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(precision, "_probe", refuse)
    precision._bfloat16_pays_on_cpu.cache_clear()
    num_threads = torch.get_num_threads()
    assert choose_precision("auto", CPU) == torch.float32
    assert torch.get_num_threads() == num_threads
    precision._bfloat16_pays_on_cpu.cache_clear()


def test_exact_computing_is_switched_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        compute_exactly(True)
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    finally:
        compute_exactly(False)
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    assert not torch.are_deterministic_algorithms_enabled()
