import os
import subprocess
import sys

import pytest
import torch

from seqcli.training import precision
from seqcli.training.precision import bound_kernel_cache, choose_precision, keep_freed_memory

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


GROWTH = """
import sys, torch
from seqcli.training.precision import bound_kernel_cache
if sys.argv[1] == "bounded":
    bound_kernel_cache()
torch.set_num_threads(1)
layer = torch.nn.LSTM(64, 64, batch_first=True)
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
layer(torch.randn(2, 2, 64))[0].sum().backward()
before = resident()
for length in range(3, 150):
    layer(torch.randn(2, length, 64))[0].sum().backward()
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_a_bounded_kernel_cache_halves_what_varying_shapes_keep() -> None:
    growth = {
        kind: int(subprocess.check_output([sys.executable, "-c", GROWTH, kind]))
        for kind in ("bounded", "free")
    }
    assert growth["bounded"] < growth["free"] / 2


def test_a_bound_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "3")
    bound_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "3"


def test_without_glibc_memory_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(precision.ctypes, "CDLL", fail)
    keep_freed_memory()
