from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def multi30k() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data" / "multi30k"
    if not folder.is_dir():
        pytest.skip("Multi30k is not beside this checkout, in ../shared/data/multi30k")
    return folder
