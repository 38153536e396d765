"""One step of a trained decoder over the live hypotheses of a batch of sentences."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.nn.attention import Memory
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


class ExactStepper:
    """The model's own modules, in float32: the reference that faster steppers are held against."""

    def __init__(self, model: Seq2Seq) -> None:
        self._model = model

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        memory = self._model.encode(source_BS, mask_BS)
        return memory, self._model.decoder.start(memory)

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        model = self._model
        embedded_R1E = model.target_embedding(tokens_R).unsqueeze(1) * model.embedding_scale
        states_R1H, state = model.decoder.advance(embedded_R1E, state)
        context_RH, weights_RS = attend(model.decoder.attention, states_R1H[:, 0], memory, rows)
        features_R1E = model.decoder.combine(states_R1H, context_RH.unsqueeze(1))
        logits_RV = torch.nn.functional.linear(
            features_R1E[:, 0], model.output_weight, model.output_bias
        )
        return logits_RV, state, weights_RS


def attend(
    attention: torch.nn.Module, queries_RH: Tensor, memory: Memory, rows: Rows
) -> tuple[Tensor, Tensor]:
    """Attend from all rows; return context_RH and weights_RS.

    Hypotheses of one sentence read its memory together, so that the memory is never copied.
    """
    num_sentences = len(memory.mask_BS)
    if len(queries_RH) == num_sentences * rows.width:
        # every slot is taken, in order: a view does
        context_NKH, weights_NKS = attention(queries_RH.view(num_sentences, rows.width, -1), memory)
        return context_NKH.flatten(0, 1), weights_NKS.flatten(0, 1)
    queries_NKH = queries_RH.new_zeros(num_sentences, rows.width, queries_RH.shape[1])
    queries_NKH[rows.sentence_R, rows.slot_R] = queries_RH
    context_NKH, weights_NKS = attention(queries_NKH, memory)
    return context_NKH[rows.sentence_R, rows.slot_R], weights_NKS[rows.sentence_R, rows.slot_R]
