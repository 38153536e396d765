"""Whatever moment a training is killed at, it goes on, and ends as if nothing had been."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from seqcli.experiment import RECIPES
from seqcli.training.log import read_log

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("architecture", RECIPES)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_training_killed_at_random_moments_ends_as_one_that_was_left_alone(
    architecture: str, tmp_path: Path
) -> None:
    generator = random.Random(3)
    corpus = tmp_path / "corpus"
    lines = [" ".join("".join(generator.choices("abcdef", k=3)) for _ in "123") for _ in range(24)]
    corpus.with_suffix(".source").write_text("".join(f"{line}\n" for line in lines))
    corpus.with_suffix(".target").write_text("".join(f"{line[::-1]}\n" for line in lines))
    arguments = [str(corpus), str(tmp_path), "7", architecture]
    process = subprocess.run(
        [sys.executable, "-m", "tests.system.killed_trainings", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout)
    assert told["complaints"] == [], process.stderr
    assert told["kills"] >= 50
    assert told["kills while writing"] >= 5
    whole = readable(tmp_path / "whole")
    for number in range(told["rounds"]):
        killed = readable(tmp_path / str(number))
        assert killed.keys() == whole.keys()
        assert [name for name in whole if killed[name] != whole[name]] == []


def readable(folder: Path) -> dict[str, object]:
    """All that is in the files of a model; of tensors their bytes, of the log all but the times."""
    return {
        str(path.relative_to(folder)): READERS.get(path.suffix, Path.read_bytes)(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.dtype, value.shape, value.numpy().tobytes()
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def log_without_times(path: Path) -> list[Any]:
    return [
        (type(record), record.step, record.epoch, getattr(record, "loss", None))
        for record in read_log(path)
    ]


READERS: dict[str, Callable[[Path], object]] = {
    ".jsonl": log_without_times,
    ".pt": lambda path: plain(torch.load(path, weights_only=True)),
    ".safetensors": lambda path: plain(safetensors.torch.load_file(path)),
}
