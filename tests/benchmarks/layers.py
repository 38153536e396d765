"""Recurrent layers alone: forward and backward, tokens a second.

Both sides read the same padded batches, whose lengths are those of training. The plain side is
float32 and torch as it comes; ours runs as in a training, with freed memory kept and in the number
format that the probe chooses here, and once more in float32.
"""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from seqcli.data.batch import source_tensors
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Examples
from seqcli.nn.attention import GeneralAttention
from seqcli.nn.bridge import ZeroBridge
from seqcli.nn.decoder import Decoder
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack
from seqcli.tokenizers import UNK
from seqcli.training.memory import keep_freed_memory
from seqcli.training.precision import choose_precision
from tests.benchmarks.corpus import training_examples
from tests.benchmarks.plain_layers import (
    InputFeedingLoop,
    LayerNormCellLoop,
    PackedLSTM,
    SeparateLSTMs,
)
from tests.benchmarks.rounds import (
    Result,
    Round,
    Settings,
    compare_speed,
    finished,
    interleave,
    processes,
)

EMBEDDING, HIDDEN = 256, 512
DEEP, NARROW = 8, 128  # layers of an encoder, units in each direction
BATCH_TOKENS = 4000
ROUNDS, BATCHES = 7, 4

Step = Callable[[Tensor, Tensor], Tensor]  # states of inputs_BSE and mask_BS


class Contest(NamedTuple):
    """Two modules that read alike; each is built by a function, once in its process."""

    what: str
    plain: Callable[[], Step]
    ours: Callable[[], Step]
    goal: float


def run(settings: Settings) -> list[Result]:
    """Hold each kind of layer against its plain form."""
    batches = _batches(1 if settings.quick else BATCHES)
    return [result for contest in CONTESTS for result in _compare(contest, batches, settings)]


def _compare(contest: Contest, batches: list[list[int]], settings: Settings) -> list[Result]:
    dtypes = ["float32"]
    if choose_precision("auto", torch.device("cpu")) == torch.bfloat16:
        dtypes.insert(0, "bfloat16")
    sides = [("plain float32", contest.plain, "float32")]
    sides += [(f"seqcli {dtype}", contest.ours, dtype) for dtype in dtypes]
    with processes(len(sides), settings.threads) as pools:
        plain, *ours = interleave(
            {
                f"{name}, {contest.what}": partial(_submit, pool, make, dtype, batches)
                for (name, make, dtype), pool in zip(sides, pools, strict=True)
            },
            1 if settings.quick else ROUNDS,
        )
    return [
        compare_speed(
            f"{contest.what}, {dtype}",
            plain,
            rounds,
            goal=None if place else contest.goal,
            show=lambda speed: f"{speed:,.0f} tok/s",
        )
        for place, (dtype, rounds) in enumerate(zip(dtypes, ours, strict=True))
    ]


def _submit(
    pool: ProcessPoolExecutor,
    make: Callable[[], Step],
    dtype: str,
    batches: list[list[int]],
    number: int,
) -> Round:
    """Measure a round, whatever its number, in the process of one side."""
    return pool.submit(measure, make, dtype, batches).result()


def _batches(count: int) -> list[list[int]]:
    """Return the lengths of the source sentences of some batches of training."""
    examples = training_examples()
    lengths = Examples.of(examples).lengths
    groups = token_batches(lengths, batch_tokens=BATCH_TOKENS, seed=1, epoch=0)[:count]
    return [[len(examples[index].source) for index in group] for group in groups]


def measure(make: Callable[[], Step], dtype: str, batches: list[list[int]]) -> Round:
    """Read each batch forward and backward."""
    step = _made(make)
    bfloat16 = dtype == "bfloat16"
    generator = torch.Generator().manual_seed(1)
    readings = []
    for lengths in batches:
        _, mask_BS = source_tensors([[UNK] * length for length in lengths])
        inputs_BSE = torch.randn(*mask_BS.shape, EMBEDDING, generator=generator)
        readings.append((inputs_BSE.requires_grad_(), mask_BS))
    start = time.perf_counter()
    for inputs_BSE, mask_BS in readings:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            states_BSH = step(inputs_BSE, mask_BS).float()
        (states_BSH * mask_BS.unsqueeze(2)).square().sum().backward()
    return finished(sum(map(sum, batches)), time.perf_counter() - start)


@cache
def _made(make: Callable[[], Step]) -> Step:
    torch.manual_seed(1)
    return make()


def packed_lstm() -> Step:
    return PackedLSTM(input_size=EMBEDDING, hidden_size=HIDDEN, bidirectional=False)


def packed_bilstm() -> Step:
    return PackedLSTM(input_size=EMBEDDING, hidden_size=HIDDEN // 2, bidirectional=True)


def separate_lstms() -> Step:
    return SeparateLSTMs(input_size=EMBEDDING, hidden_size=NARROW, num_layers=DEEP)


def layer_norm_loop() -> Step:
    return LayerNormCellLoop(input_size=EMBEDDING, hidden_size=HIDDEN)


def our_lstm() -> Step:
    return _reader(Stack(input_size=EMBEDDING, hidden_size=HIDDEN, num_layers=1))


def our_bilstm() -> Step:
    return _reader(
        Stack(
            input_size=EMBEDDING, hidden_size=HIDDEN // 2, num_layers=1, direction="bidirectional"
        )
    )


def our_layer_norm() -> Step:
    return _reader(
        Stack(input_size=EMBEDDING, hidden_size=HIDDEN, num_layers=1, cell="layer-norm-lstm")
    )


def our_deep_encoder() -> Step:
    return _reader(
        Stack(
            input_size=EMBEDDING,
            hidden_size=NARROW,
            num_layers=DEEP,
            direction="bidirectional",
            kind="residual",
        )
    )


def _reader(stack: Stack) -> Step:
    keep_freed_memory()
    return lambda inputs_BSE, mask_BS: stack(inputs_BSE, None, Reading(mask_BS))[0]


def input_feeding_loop() -> Step:
    """Attend to fixed states, as many as there are target tokens."""
    return _with_memory(
        InputFeedingLoop(embedding_size=EMBEDDING, hidden_size=HIDDEN, memory_size=HIDDEN)
    )


def our_input_feeding() -> Step:
    keep_freed_memory()
    sizes = {"num_layers": 1, "hidden_size": HIDDEN}
    decoder = Decoder(
        Stack(input_size=2 * EMBEDDING, **sizes),
        GeneralAttention(query_size=HIDDEN, memory_size=HIDDEN),
        ZeroBridge(memory_size=HIDDEN, num_parts=2, **sizes),
        feature_size=EMBEDDING,
        input_feeding=True,
    )

    def read(embedded_BTE: Tensor, memory_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        memory = decoder.attention.remember(memory_BSH, mask_BS)
        features_BTE: Tensor
        features_BTE, _ = decoder(embedded_BTE, memory, decoder.start(memory_BSH, mask_BS, []))
        return features_BTE

    return _with_memory(read)


def _with_memory(decode: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Step:
    """Attend to states made of the inputs, twice side by side."""
    return lambda inputs_BSE, mask_BS: decode(
        inputs_BSE, torch.cat([inputs_BSE, inputs_BSE], dim=2), mask_BS
    )


CONTESTS = (
    Contest("LSTM layer, against packed", packed_lstm, our_lstm, 1.3),
    Contest("BiLSTM layer, against packed", packed_bilstm, our_bilstm, 1.3),
    Contest("layer-norm LSTM, against a loop", layer_norm_loop, our_layer_norm, 1.5),
    Contest("input feeding, against a loop", input_feeding_loop, our_input_feeding, 1.5),
    Contest("residual encoder of 8 layers, against nn.LSTM", separate_lstms, our_deep_encoder, 1.0),
)
