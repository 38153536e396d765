"""Greedy search: the most probable token at each step."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqcli.decoding.scores import length_norm
from seqcli.decoding.search import (
    FULL_ENOUGH,
    MAX_LENGTH_RATIO,
    Candidate,
    attention_rows,
    longest_output,
)
from seqcli.decoding.step import Rows, Stepper
from seqcli.tokenizers.vocabulary import BOS, EOS


class _Rows(NamedTuple):
    """The sentences of a batch that are still in the model's memory, one a row."""

    place_R: Tensor  # in the batch as given
    live_R: Tensor
    limit_R: Tensor
    log_probability_R: Tensor
    history_RT: Tensor  # tokens, from BOS on
    attention_RTS: Tensor  # S is 0 unless attention is asked for


def greedy_search(
    stepper: Stepper,
    source_BS: Tensor,
    mask_BS: Tensor,
    *,
    length_penalty: float = 1.0,
    max_length_ratio: float = MAX_LENGTH_RATIO,
    with_attention: bool = False,
) -> list[list[Candidate]]:
    """Return one candidate a sentence; `length_penalty` only sets the scale of its score."""
    memory, state = stepper.encode(source_BS, mask_BS)
    lengths: list[int] = mask_BS.sum(1).tolist()
    columns = mask_BS.shape[1] if with_attention else 0
    limits = [longest_output(length, max_length_ratio) for length in lengths]
    rows = _first_rows(limits, columns, memory.mask_BS.device)
    found: dict[int, Candidate] = {}
    while True:
        logits_RV, state, weights_RS = stepper.step(
            rows.history_RT[:, -1], state, memory, _one_slot_each(rows)
        )
        rows = _extended(rows, logits_RV, weights_RS[:, :columns])
        length = rows.history_RT.shape[1] - 1
        ended_R = rows.live_R & ((rows.history_RT[:, -1] == EOS) | (length >= rows.limit_R))
        for row in ended_R.nonzero()[:, 0].tolist():
            place = int(rows.place_R[row])
            found[place] = _candidate(rows, row, lengths[place], length_penalty)
        rows = rows._replace(live_R=rows.live_R & ~ended_R)
        kept = rows.live_R.nonzero()[:, 0]
        if not len(kept):
            return [[found[place]] for place in range(len(lengths))]
        if len(kept) < FULL_ENOUGH * len(rows.live_R):
            memory, state = memory.select(kept), state.select(kept)
            rows = _Rows(*(tensor[kept] for tensor in rows))


def _first_rows(limits: list[int], attention_columns: int, device: torch.device) -> _Rows:
    count = len(limits)
    return _Rows(
        place_R=torch.arange(count, device=device),
        live_R=torch.ones(count, dtype=torch.bool, device=device),
        limit_R=torch.tensor(limits, device=device),
        log_probability_R=torch.zeros(count, device=device),
        history_RT=torch.full((count, 1), BOS, device=device),
        attention_RTS=torch.empty(count, 0, attention_columns, device=device),
    )


def _one_slot_each(rows: _Rows) -> Rows:
    sentence_R = torch.arange(len(rows.live_R), device=rows.live_R.device)
    return Rows(sentence_R, torch.zeros_like(sentence_R), width=1)


def _extended(rows: _Rows, logits_RV: Tensor, weights_RS: Tensor) -> _Rows:
    """Append the most probable token of each row."""
    best_R, token_R = logits_RV.max(1)
    return rows._replace(
        log_probability_R=rows.log_probability_R + best_R - logits_RV.logsumexp(1),
        history_RT=torch.cat([rows.history_RT, token_R.unsqueeze(1)], dim=1),
        attention_RTS=torch.cat([rows.attention_RTS, weights_RS.unsqueeze(1)], dim=1),
    )


def _candidate(rows: _Rows, row: int, source_length: int, length_penalty: float) -> Candidate:
    tokens = rows.history_RT[row, 1:].tolist()
    ended = tokens[-1] == EOS
    log_probability = float(rows.log_probability_R[row])
    return Candidate(
        tokens[:-1] if ended else tokens,
        score=log_probability / length_norm(len(tokens), length_penalty),
        log_probability=log_probability,
        attention=attention_rows(rows.attention_RTS[row], source_length),
        is_complete=ended,
    )
