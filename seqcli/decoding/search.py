"""What every search returns, and the bounds it keeps."""

from typing import NamedTuple

from torch import Tensor

MAX_LENGTH_RATIO = 2.0  # target tokens for each source token, where a model asks for no other
MARGIN = 20  # tokens more that any output may have
FULL_ENOUGH = 0.75  # share of sentences still searched below which a batch is made smaller


class Candidate(NamedTuple):
    """A hypothesis of one sentence."""

    tokens: list[int]  # without the end of sentence
    score: float  # log-probability over the length norm: higher is better
    log_probability: float  # nats, the end of sentence included
    attention: list[list[float]]  # a row a token and one for the end; rows empty unless asked for
    is_complete: bool  # False: its end did not come, and it was cut off at the longest output


def longest_output(source_length: int, ratio: float) -> int:
    """Return how many tokens, the end included, a search may write for a source."""
    return int(ratio * source_length) + MARGIN


def attention_rows(weights_TS: Tensor, source_length: int) -> list[list[float]]:
    """Return the weights as lists, cut to the real source tokens."""
    rows: list[list[float]] = weights_TS[:, :source_length].tolist()
    return rows
