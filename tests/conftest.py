"""What all tests share: a plain terminal, fixed random numbers, a patient hypothesis."""

import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output does not depend on the terminal that the tests are started from."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """`main` sets up the log of seqcli; the next test finds it as it was."""
    logger = logging.getLogger("seqcli")
    handlers, level = logger.handlers, logger.level
    yield
    logger.handlers, logger.level = handlers, level


@pytest.fixture(autouse=True)
def fixed_random_numbers() -> None:
    """A test's outcome does not depend on the tests before it, nor on the number of cores."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_num_threads(1)  # small tensors: more threads only wait for each other
