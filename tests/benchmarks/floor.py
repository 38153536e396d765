"""The least that a training step can take: the time of its matrix products alone.

The products are those of the real tokens: forward, and both ways backward, for the gradient of the
rows and for that of the matrix. Padding, gates, softmax and all else count as nothing.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from seqcli.architectures.recurrent import StackConfig
from seqcli.architectures.seq2seq import Seq2SeqConfig
from seqcli.data.dataset import Example
from seqcli.nn.loss import CHUNK_ROWS
from seqcli.training.memory import keep_freed_memory
from tests.benchmarks.rounds import Round, finished

GATES = 4  # of an LSTM
LARGE, REPEATS = 2048, 20  # the product by which the processor is judged: its width, and how often

Groups = Sequence[Sequence[Example]]


class Product(NamedTuple):
    """Rows times a matrix of inner * columns numbers, with both products of its gradient.

    The rows come in calls one after the other; the gradient of the matrix is made at once. Of
    `matrices`, each has as many rows.
    """

    rows: tuple[int, ...]
    inner: int
    columns: int
    matrices: int = 1

    @property
    def operations(self) -> int:
        """Multiplications and additions of all three, also where nothing reads a gradient."""
        return 3 * 2 * self.matrices * sum(self.rows) * self.inner * self.columns


def products(
    config: Seq2SeqConfig, vocabulary_size: int, group: Sequence[Example]
) -> Iterator[Product]:
    """Yield the products of a step; of the attention, which has few, with its padding."""
    sources = [len(example.source) + 1 for example in group]
    targets = [len(example.target) + 1 for example in group]
    width, memory = config.embedding_size, config.encoder.output_size
    query, (num_sources, num_targets) = config.decoder.output_size, (sum(sources), sum(targets))
    yield from _recurrent_products(config.encoder, width, sources)
    yield from _recurrent_products(config.decoder, config.decoder_input_size, targets)
    yield Product((len(group),), memory, 2 * config.decoder.size)  # the first state
    yield Product((num_sources,), memory, query)  # keys
    steps = (1,) * max(targets) if config.input_feeding else (max(targets),)
    yield Product(steps, query, max(sources), matrices=len(group))  # scores
    yield Product(steps, max(sources), memory, matrices=len(group))  # what is read
    rows = rows_of_steps(targets) if config.input_feeding else (num_targets,)
    yield Product(rows, query + memory, width)  # features
    for start in range(0, num_targets, CHUNK_ROWS):
        yield Product((min(CHUNK_ROWS, num_targets - start),), width, vocabulary_size)


def _recurrent_products(
    config: StackConfig, input_size: int, lengths: Sequence[int]
) -> Iterator[Product]:
    """Yield those of LSTMs without a projection, whose inputs come all at once."""
    for depth in range(config.layers):
        for _ in range(2 if config.direction == "bidirectional" else 1):
            inner = config.output_size if depth else input_size
            yield Product((sum(lengths),), inner, GATES * config.size)
            yield Product(rows_of_steps(lengths), config.size, GATES * config.size)


def rows_of_steps(lengths: Sequence[int]) -> tuple[int, ...]:
    """Return how many sentences have a first token, a second, and so on."""
    ending = Counter(lengths)
    going_on, rows = len(lengths), []
    for length in range(1, max(lengths) + 1):
        rows.append(going_on)
        going_on -= ending[length]
    return tuple(rows)


def operations(config: Seq2SeqConfig, vocabulary_size: int, groups: Groups) -> int:
    return sum(
        product.operations
        for group in groups
        for product in products(config, vocabulary_size, group)
    )


def large_products(num_tokens: int, num_operations: int, dtype: torch.dtype) -> Round:
    """Take so many tokens through so many operations, at the rate of large products just now."""
    rows, matrix = _large_operands(dtype)
    start = time.perf_counter()
    for _ in range(REPEATS):
        torch.mm(rows, matrix)
    rate = REPEATS * 2 * LARGE**3 / (time.perf_counter() - start)
    return finished(num_tokens, num_operations / rate, note=f"{rate / 1e9:,.0f} GFLOP/s")


@cache
def _large_operands(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    keep_freed_memory()
    return torch.randn(LARGE, LARGE).to(dtype), torch.randn(LARGE, LARGE).to(dtype)


def own_products(num_tokens: int, of_step: Sequence[Product], dtype: torch.dtype) -> Round:
    """Make the products of a step of so many tokens one after the other, in their own shapes."""
    keep_freed_memory()
    operands = [_operands(product, dtype) for product in of_step]
    start = time.perf_counter()
    for product, (rows, matrices, gradients) in zip(of_step, operands, strict=True):
        calls = list(product.rows)
        for part in rows.split(calls, dim=-2):
            torch.matmul(part, matrices)
        for part in gradients.split(calls, dim=-2):
            torch.matmul(part, matrices.mT)
        torch.matmul(rows.mT, gradients)
    return finished(num_tokens, time.perf_counter() - start)


def _operands(product: Product, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return random rows, matrices and gradients of the results."""
    batch = () if product.matrices == 1 else (product.matrices,)
    num_rows = sum(product.rows)
    return (
        torch.randn(*batch, num_rows, product.inner).to(dtype),
        torch.randn(*batch, product.inner, product.columns).to(dtype),
        torch.randn(*batch, num_rows, product.columns).to(dtype),
    )
