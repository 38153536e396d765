"""Models to search in: a table of probabilities that can be searched by hand, and tiny networks."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import source_tensors
from seqcli.decoding import beam, greedy, search
from seqcli.decoding.step import Rows
from seqcli.nn.attention import Memory
from seqcli.nn.decoder import DecoderState
from seqcli.tokenizers.vocabulary import BOS, EOS

VOCABULARY = 13  # of the tiny networks, on both sides


class TableStepper:
    """Reads the logits of what comes next from a table with a row for each prefix.

    The first token of a source chooses its table. The state is the number of the prefix: 0 when
    nothing is written, and V * n + token + 1 for a token more after prefix n.
    """

    def __init__(self, logits_TPV: Tensor) -> None:
        self.logits_TPV = logits_TPV

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        nothing_B1 = torch.full((len(source_BS), 1), -1)
        memory = Memory(source_BS.unsqueeze(2), source_BS.unsqueeze(2), mask_BS)
        return memory, DecoderState([(nothing_B1,)])

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        before_R = state.layers[0][0][:, 0]
        size = self.logits_TPV.shape[2]
        prefix_R = torch.where(before_R < 0, 0, size * before_R + tokens_R + 1)
        assert (tokens_R[before_R < 0] == BOS).all()
        table_R = memory.states_BSH[rows.sentence_R, 0, 0]
        mask_RS = memory.mask_BS[rows.sentence_R]
        # a dead row of greedy search may walk off the table: nobody reads what it gets
        logits_RV = self.logits_TPV[table_R, prefix_R.clamp(max=self.logits_TPV.shape[1] - 1)]
        return logits_RV, DecoderState([(prefix_R.unsqueeze(1),)]), mask_RS / mask_RS.sum(1, True)


class Output(NamedTuple):
    """A sequence with its end of sentence, if it has one."""

    tokens: tuple[int, ...]
    log_probability: float


def random_tables(count: int, *, size: int, longest: int, seed: int, scale: float = 1.0) -> Tensor:
    """Logits after every prefix of less than `longest` tokens out of `size`."""
    num_prefixes = sum(size**length for length in range(longest))
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, num_prefixes, size, generator=generator) * scale


def every_output(logits_PV: Tensor, *, longest: int) -> Iterator[Output]:
    """All sequences of at most `longest` tokens; those without an end are just as long."""
    size = logits_PV.shape[1]
    log_probability_PV = logits_PV.double().log_softmax(1).tolist()
    for length in range(1, longest + 1):
        others = [token for token in range(size) if token != EOS]
        for tokens in itertools.product(*[others] * (length - 1), range(size)):
            if tokens[-1] != EOS and length < longest:
                continue
            prefix, total = 0, 0.0
            for token in tokens:
                total += log_probability_PV[prefix][token]
                prefix = size * prefix + token + 1
            yield Output(tokens, total)


def ranked(outputs: Iterator[Output], penalty: float) -> list[tuple[float, Output]]:
    """Finished outputs, best score first; those cut off if none is finished."""
    possible = [output for output in outputs if output.log_probability > -math.inf]
    finished = [output for output in possible if output.tokens[-1] == EOS]
    return sorted(
        (
            (output.log_probability / ((5 + len(output.tokens)) / 6) ** penalty, output)
            for output in finished or possible
        ),
        reverse=True,
    )


def without_end(tokens: tuple[int, ...]) -> list[int]:
    return [token for token in tokens if token != EOS]


def limit_output(monkeypatch: pytest.MonkeyPatch, *, margin: int) -> None:
    """Let searches write `margin` tokens more than the ratio to the source allows."""
    monkeypatch.setattr(search, "MARGIN", margin)


def shrink_batches(monkeypatch: pytest.MonkeyPatch, full_enough: float) -> None:
    """Let searches make a batch smaller when less than this share of it is still searched."""
    monkeypatch.setattr(beam, "FULL_ENOUGH", full_enough)
    monkeypatch.setattr(greedy, "FULL_ENOUGH", full_enough)


def tiny_model(
    *,
    cell: str = "lstm",
    layers: int = 1,
    stack: str = "residual",
    end_bias: float = 1.0,
    seed: int = 0,
    vocabulary: int = VOCABULARY,
    **settings: Any,
) -> Seq2Seq:
    """An untrained network with weights so large that it has strong opinions.

    `end_bias` makes the end of sentence likelier, so that outputs are of many lengths. `settings`
    are those of the section `model`.
    """
    torch.manual_seed(seed)
    wiring = {"cell": cell, "layers": layers, "stack": stack}
    config = Seq2SeqConfig(
        embedding_size=8,
        encoder=EncoderConfig(size=6, **wiring),
        decoder=DecoderConfig(size=12, **wiring),
        **settings,
    )
    model = build_seq2seq(
        config, source_vocabulary_size=vocabulary, target_vocabulary_size=vocabulary
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.output_bias[EOS] += end_bias
    return model.eval().requires_grad_(False)


def random_sources(
    count: int, *, seed: int = 0, longest: int = 9, vocabulary: int = VOCABULARY
) -> list[list[int]]:
    """Sentences of many lengths."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [torch.randint(4, vocabulary, (n,), generator=generator).tolist() for n in lengths]


def forced_log_probabilities(model: Seq2Seq, source: list[int], written: list[int]) -> Tensor:
    """Return what the forward pass gives every token before each place of `written` (T, V)."""
    source_BS, mask_BS = source_tensors([source])
    features_BTE = model(source_BS, mask_BS, torch.tensor([[BOS, *written[:-1]]]))
    logits_TV = features_BTE[0] @ model.output_weight.T + model.output_bias
    return logits_TV.log_softmax(1)


def forced_attention(model: Seq2Seq, source: list[int], written: list[int]) -> Tensor:
    """Return weights_TS of the forward pass before each place of `written`."""
    source_BS, mask_BS = source_tensors([source])
    target_BT = torch.tensor([[BOS, *written[:-1]]])
    memory, state = model.encode(source_BS, mask_BS)
    inputs_BTE = model.embed_target(target_BT)
    if state.fed_BE is not None:
        features_BTE = model(source_BS, mask_BS, target_BT)
        fed_BTE = torch.cat([state.fed_BE.unsqueeze(1), features_BTE[:, :-1]], dim=1)
        inputs_BTE = torch.cat([inputs_BTE, fed_BTE], dim=2)
    states_BTH, _ = model.decoder.stack(inputs_BTE, state.layers)
    weights_BTS: Tensor = model.decoder.attention(states_BTH, memory)[1]
    return weights_BTS[0]
