"""Whether a process is one of several is known by all that torchrun sets, and by no part of it."""

import subprocess
import sys

import pytest

from seqcli.training.launch import SET_BY_TORCHRUN, is_first, is_one_of_several

SECOND_OF_TWO = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SET_BY_TORCHRUN:
        monkeypatch.delenv(name, raising=False)


def test_a_process_alone_is_the_first() -> None:
    assert not is_one_of_several()
    assert is_first()


@pytest.mark.parametrize(("rank", "is_the_first"), [("0", True), ("1", False)])
def test_of_several_processes_one_is_the_first(
    monkeypatch: pytest.MonkeyPatch, rank: str, is_the_first: bool
) -> None:
    for name, value in {**SECOND_OF_TWO, "RANK": rank}.items():
        monkeypatch.setenv(name, value)
    assert is_one_of_several()
    assert is_first() is is_the_first


@pytest.mark.parametrize("missing", sorted(SET_BY_TORCHRUN))
def test_a_part_of_what_torchrun_sets_is_of_something_else(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in SECOND_OF_TWO.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    assert not is_one_of_several()
    assert is_first()


def test_it_is_known_without_torch() -> None:
    code = "import sys, seqcli.training.launch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
