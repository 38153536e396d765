import shutil
from pathlib import Path

import pytest

from tests.cli.translators import LINES, train_at


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_at(tmp_path_factory.mktemp("translate"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Work in an empty folder where LINES are the file `source`."""
    monkeypatch.chdir(tmp_path)
    Path("source").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return "source"


@pytest.fixture
def copy(model: str, source: str) -> Path:
    """The model's folder, to be changed, in the folder where `source` lies."""
    return Path(shutil.copytree(model, "copy"))
