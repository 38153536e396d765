import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seqcli.training import trainer as trainer_module
from tests.api.trainings import Corpus


@pytest.fixture
def one_thread_and_a_report_each_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_REPORTS", 0.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Lines of letters and their reverse: 40 pairs to train on, 6 to validate on."""
    generator = random.Random(1)
    files = {}
    for name, count in (("train", 40), ("valid", 6)):
        lines = [
            " ".join("".join(generator.choices("abcdefgh", k=3)) for _ in range(3))
            for _ in range(count)
        ]
        files[name] = (str(tmp_path / f"{name}.source"), str(tmp_path / f"{name}.target"))
        Path(files[name][0]).write_text("".join(f"{line}\n" for line in lines))
        Path(files[name][1]).write_text("".join(f"{line[::-1]}\n" for line in lines))
    return files
