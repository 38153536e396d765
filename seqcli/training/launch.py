"""How this process was started: alone, or by torchrun as one of several."""

import os

SET_BY_TORCHRUN = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def is_one_of_several() -> bool:
    """Whether torchrun has started others beside this one, to train one model together.

    All it sets must be there: one variable alone is of something else.
    """
    return os.environ.keys() >= SET_BY_TORCHRUN and os.environ["WORLD_SIZE"] != "1"


def is_first() -> bool:
    """Whether this process is alone, or the one of several that reports."""
    return not is_one_of_several() or os.environ["RANK"] == "0"
