import os
import subprocess
import sys

import pytest

from seqcli.training import memory
from seqcli.training.memory import KERNEL_CACHES, bound_kernel_caches, keep_freed_memory

GROWTH = """
import sys, torch
from seqcli.training.memory import bound_kernel_caches
if sys.argv[1] == "bounded":
    bound_kernel_caches()
torch.set_num_threads(1)
layer = torch.nn.LSTM(64, 64, batch_first=True)
matrix = torch.randn(512, 512).bfloat16()
def lstm(length): layer(torch.randn(2, length, 64))[0].sum().backward()
def product(length): matrix[:length] @ matrix
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
work = {"lstm": lstm, "product": product}[sys.argv[2]]
work(2)
before = resident()
for length in range(3, 400):
    work(length)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
@pytest.mark.parametrize("work", ["lstm", "product"])
def test_bounded_kernel_caches_halve_what_varying_shapes_keep(work: str) -> None:
    environment = {  # a training in this process sets the bounds
        name: value for name, value in os.environ.items() if name not in KERNEL_CACHES
    }
    growth = {
        kind: int(
            subprocess.check_output([sys.executable, "-c", GROWTH, kind, work], env=environment)
        )
        for kind in ("bounded", "free")
    }
    assert growth["bounded"] < growth["free"] / 2


@pytest.mark.parametrize("variable", KERNEL_CACHES)
def test_a_bound_of_the_user_stays(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "3")
    bound_kernel_caches()
    assert os.environ[variable] == "3"


def test_without_glibc_memory_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(memory.ctypes, "CDLL", fail)
    keep_freed_memory()
