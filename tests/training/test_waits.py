"""A step of training never waits for the device: what it needs to know of a batch the host knows.

On CUDA torch tells of each wait; on the CPU those operations are refused that would wait there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seqcli.experiment import Recipe
from seqcli.nn import cells, compiled
from seqcli.tasks import TASKS
from seqcli.text.lines import read_lines
from seqcli.training.distributed import Processes
from seqcli.training.meter import Means, Meter
from seqcli.training.updater import Updater
from tests.api.trainings import Corpus, corpus_for, recipe_of

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero"}
BY_INDEX = {"index", "index_put", "index_put_", "_index_put_impl_"}  # masks are turned into places

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    ),
]


class NoWaits(TorchDispatchMode):
    """Fails where a value or a number of elements must be known that depends on values."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        waits = name in WAITING or (name in BY_INDEX and any(map(is_mask, args[1])))
        assert not waits, f"{func} would wait for the device"
        return func(*args, **(kwargs or {}))


def is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


@contextmanager
def no_waits(device: torch.device) -> Iterator[None]:
    if device.type == "cpu":
        with NoWaits():
            yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("device_type", DEVICES)
def test_what_waits_is_found(device_type: str) -> None:
    device = torch.device(device_type)
    numbers = torch.arange(3.0, device=device)
    for wait in (
        lambda: numbers.sum().item(),
        lambda: bool(numbers[0]),
        lambda: numbers[numbers > 1],
    ):
        with (
            pytest.raises((AssertionError, RuntimeError), match=r"wait|synchroniz"),
            no_waits(device),
        ):
            wait()
    with no_waits(device):
        numbers.index_select(0, torch.zeros(1, dtype=torch.int64, device=device))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    lines = [" ".join("abcdefg"[(n * k + n) % 7] for k in range(2 + n % 8)) for n in range(40)]
    files = tuple(str(tmp_path / f"train.{side}") for side in ("source", "target"))
    for path, step in zip(files, (1, -1), strict=True):
        Path(path).write_text("".join(f"{line[::step]}\n" for line in lines))
    return {"train": files}


@pytest.mark.parametrize("device_type", DEVICES)
@pytest.mark.parametrize("consistency", [0, 1])
@pytest.mark.parametrize("architecture", ["seq2seq", "classifier", "tagger", "language-model"])
def test_an_update_does_not_wait_for_the_device(
    monkeypatch: pytest.MonkeyPatch,
    corpus: Corpus,
    architecture: str,
    consistency: float,
    device_type: str,
) -> None:
    """All that depends on the values of a batch is left on the device until figures are read."""
    recipe = recipe_of(
        corpus_for(architecture, corpus),
        "data.subword_sampling=0",
        "tokenizer.vocabulary_size=15",
        f"training.consistency={consistency}",
        architecture=architecture,
    )
    monkeypatch.setattr(cells, "pays_as_one_operation", lambda *_: False)  # as on CUDA
    monkeypatch.setattr(compiled, "FORMATS", ())
    device, meter = torch.device(device_type), Meter()
    updater, batches = prepared(recipe, device)
    updater.update(batches[0], meter, total_steps=9)  # makes what later ones find there
    with no_waits(device):
        for batch in batches[1:4]:
            updater.update(batch, meter, total_steps=9)
    assert meter.updates == 4
    assert isinstance(meter.read(), Means)


def prepared(recipe: Recipe, device: torch.device) -> tuple[Updater, Any]:
    kind = TASKS[recipe.task]
    text = tuple(list(read_lines(path)) for path in recipe.data.train)
    task = kind(recipe, kind.learn_tokenizers(recipe, text))
    torch.manual_seed(1)
    model = task.build_model().to(device)
    updater = Updater(
        model,
        recipe.training,
        loss=partial(task.loss, model, smoothing=0.1, consistency=recipe.training.consistency),
        seed=1,
        processes=Processes(),
        say=lambda text: None,
    )
    return updater, task.batches(task.dataset(text), epoch=0)
