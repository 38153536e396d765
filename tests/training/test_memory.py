import os
import subprocess
import sys

import pytest

from seqcli.training import memory
from seqcli.training.memory import bound_kernel_cache, keep_freed_memory

GROWTH = """
import sys, torch
from seqcli.training.memory import bound_kernel_cache
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
    environment = {**os.environ}
    environment.pop("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None)  # a training in this process sets it
    growth = {
        kind: int(subprocess.check_output([sys.executable, "-c", GROWTH, kind], env=environment))
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

    monkeypatch.setattr(memory.ctypes, "CDLL", fail)
    keep_freed_memory()
