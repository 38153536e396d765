"""One step of a trained decoder over the live hypotheses of a batch of sentences."""

import copy
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.decoding.quantize import Int8Linear, quantize_layers
from seqcli.nn.attention import Attention, Memory
from seqcli.nn.decoder import DecoderState


class Rows(NamedTuple):
    """Where each live hypothesis belongs: R rows over N sentences of at most `width` each."""

    sentence_R: Tensor
    slot_R: Tensor  # from 0 to width - 1, unique within a sentence
    width: int


class Stepper(Protocol):
    """A decoder made ready for search."""

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]: ...

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        """Read a token a row; return logits_RV, the new state and attention weights_RS."""
        ...


class ModelStepper:
    """Steps with the model's own modules, in the precision that they have."""

    def __init__(self, model: Seq2Seq) -> None:
        self._model = model

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        device = self._model.output_bias.device
        return self._model.encode(source_BS.to(device), mask_BS.to(device))

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        decoder = self._model.decoder
        embedded_R1E = self._model.embed_target(tokens_R.unsqueeze(1))
        states_R1H, state = decoder.advance(embedded_R1E, state)
        context_RH, weights_RS = attend(decoder.attention, states_R1H[:, 0], memory, rows)
        features_RE = decoder.combine(states_R1H, context_RH.unsqueeze(1))[:, 0]
        return self._logits(features_RE), decoder.feed(state, features_RE), weights_RS

    def _logits(self, features_RE: Tensor) -> Tensor:
        return nn.functional.linear(features_RE, self._model.output_weight, self._model.output_bias)


class Int8Stepper(ModelStepper):
    """Steps with a copy of the model in 8-bit integers.

    The BLEU of `models/de-en` moves by less than 0.1.
    """

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__(copy.deepcopy(model))
        quantize_layers(self._model)
        self._output = Int8Linear(model.output_weight, model.output_bias)

    def _logits(self, features_RE: Tensor) -> Tensor:
        logits_RV: Tensor = self._output(features_RE)
        return logits_RV


def attend(
    attention: Attention, queries_RH: Tensor, memory: Memory, rows: Rows
) -> tuple[Tensor, Tensor]:
    """Attend from all rows; return context_RH and weights_RS.

    Hypotheses of one sentence read its memory together, so that the memory is never copied.
    """
    num_sentences = len(memory.mask_BS)
    if len(queries_RH) == num_sentences * rows.width:  # every slot is taken, and in order
        context_NKH, weights_NKS = attention(queries_RH.view(num_sentences, rows.width, -1), memory)
        return context_NKH.flatten(0, 1), weights_NKS.flatten(0, 1)
    queries_NKH = queries_RH.new_zeros(num_sentences, rows.width, queries_RH.shape[1])
    queries_NKH[rows.sentence_R, rows.slot_R] = queries_RH
    context_NKH, weights_NKS = attention(queries_NKH, memory)
    return context_NKH[rows.sentence_R, rows.slot_R], weights_NKS[rows.sentence_R, rows.slot_R]
