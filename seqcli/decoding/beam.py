"""Beam search with a length norm, which stops when nothing better can come."""

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


def beam_search(
    stepper: Stepper,
    source_BS: Tensor,
    mask_BS: Tensor,
    *,
    width: int,
    length_penalty: float = 1.0,
    max_length_ratio: float = MAX_LENGTH_RATIO,
    num_best: int = 1,
    with_attention: bool = False,
) -> list[list[Candidate]]:
    """Return for each sentence its `num_best` (or fewer) best candidates, best first.

    A finished hypothesis leaves the beam, which is narrower by one from then on. A live one is
    dropped as soon as even certain continuations up to the longest output could not lift it above
    the `num_best` finished ones. So the search ends early, and never too early. A sentence whose
    hypotheses all reach the longest output gets the best of them, cut off there.
    """
    search = _Search(
        stepper,
        source_BS,
        mask_BS,
        width,
        length_penalty,
        max_length_ratio,
        num_best,
        with_attention,
    )
    while search.live.sentence_R.numel():
        search.step()
    return search.best()


class _Live(NamedTuple):
    """The unfinished hypotheses of a batch, one a row, sorted by sentence and slot."""

    sentence_R: Tensor
    slot_R: Tensor  # the place in the sentence's beam
    log_probability_R: Tensor
    history_RT: Tensor  # tokens, from BOS on
    attention_RTS: Tensor  # S is 0 unless attention is asked for

    def select(self, rows: Tensor) -> "_Live":
        return _Live(*(tensor[rows] for tensor in self))


class _Search:
    """The state of one batch: live hypotheses, finished ones, and what the model remembers."""

    def __init__(
        self,
        stepper: Stepper,
        source_BS: Tensor,
        mask_BS: Tensor,
        width: int,
        length_penalty: float,
        max_length_ratio: float,
        num_best: int,
        with_attention: bool,
    ) -> None:
        self._stepper = stepper
        self._width = width
        self._penalty = length_penalty
        self._num_best = num_best
        self._memory, self._state = stepper.encode(source_BS, mask_BS)
        self._lengths: list[int] = mask_BS.sum(1).tolist()
        self._attention_columns = mask_BS.shape[1] if with_attention else 0
        count, device = len(self._lengths), self._memory.mask_BS.device
        limits = [longest_output(length, max_length_ratio) for length in self._lengths]
        self._finished: list[list[Candidate]] = [[] for _ in range(count)]
        self._cut_off: list[list[Candidate]] = [[] for _ in range(count)]
        # of each sentence that is still searched, N in all:
        self._place_N = torch.arange(count, device=device)  # in the batch as given
        self._limit_N = torch.tensor(limits, device=device)
        self._free_N = torch.full((count,), width, device=device)  # hypotheses yet to finish
        self._threshold_N = torch.full((count,), -torch.inf, device=device)  # score to be beaten
        self.live = _Live(
            sentence_R=self._place_N,
            slot_R=torch.zeros_like(self._place_N),
            log_probability_R=torch.zeros(count, device=device),
            history_RT=torch.full((count, 1), BOS, device=device),
            attention_RTS=torch.empty(count, 0, self._attention_columns, device=device),
        )

    def step(self) -> None:
        """Extend the live hypotheses by a token each and take out those that are finished."""
        live, parents_R = self._extend()
        limit_R = self._limit_N[live.sentence_R]
        ended_R = live.history_RT[:, -1] == EOS
        at_limit_R = live.history_RT.shape[1] > limit_R
        for row in (ended_R | at_limit_R).nonzero()[:, 0].tolist():
            self._take_out(live, row)
        norm_R = ((5 + limit_R) / 6) ** self._penalty
        hopeful_R = live.log_probability_R / norm_R > self._threshold_N[live.sentence_R]
        kept_R = (hopeful_R & ~ended_R & ~at_limit_R).nonzero()[:, 0]
        self.live = live.select(kept_R)
        self._state = self._state.select(parents_R[kept_R])
        self._forget_finished_sentences()

    def best(self) -> list[list[Candidate]]:
        """Return the finished candidates of each sentence, else the best that was cut off."""
        return [
            sorted(finished or cut_off, key=lambda candidate: -candidate.score)[: self._num_best]
            for finished, cut_off in zip(self._finished, self._cut_off, strict=True)
        ]

    def _extend(self) -> tuple[_Live, Tensor]:
        """Return the best extensions in each sentence, as many as its beam has room for.

        With them comes the row of `self.live` that each extends.
        """
        live = self.live
        rows = Rows(live.sentence_R, live.slot_R, width=int(live.slot_R.max()) + 1)
        logits_RV, self._state, weights_RS = self._stepper.step(
            live.history_RT[:, -1], self._state, self._memory, rows
        )
        best_RC, token_RC = logits_RV.topk(min(self._width, logits_RV.shape[1]), dim=1)
        normalizer_R = logits_RV.logsumexp(1)
        total_RC = best_RC + (live.log_probability_R - normalizer_R).unsqueeze(1)
        choice_R, sentence_R, slot_R = self._best_choices(total_RC, rows)
        parents_R = choice_R // total_RC.shape[1]
        weights_RS = weights_RS[parents_R, : self._attention_columns]
        extended = _Live(
            sentence_R=sentence_R,
            slot_R=slot_R,
            log_probability_R=total_RC.flatten()[choice_R],
            history_RT=torch.cat(
                [live.history_RT[parents_R], token_RC.flatten()[choice_R].unsqueeze(1)], dim=1
            ),
            attention_RTS=torch.cat(
                [live.attention_RTS[parents_R], weights_RS.unsqueeze(1)], dim=1
            ),
        )
        return extended, parents_R

    def _best_choices(self, total_RC: Tensor, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best entries of `total_RC` for each sentence: flat index, sentence, slot."""
        num_rows, num_choices = total_RC.shape
        num_sentences = len(self._free_N)
        total_NKC = total_RC.new_full((num_sentences, rows.width, num_choices), -torch.inf)
        total_NKC[rows.sentence_R, rows.slot_R] = total_RC
        row_NK = rows.slot_R.new_zeros(num_sentences, rows.width)
        row_NK[rows.sentence_R, rows.slot_R] = torch.arange(num_rows, device=row_NK.device)
        width = min(self._width, rows.width * num_choices)
        best_NW, index_NW = total_NKC.flatten(1).topk(width, dim=1)
        has_room_NW = torch.arange(width, device=row_NK.device) < self._free_N.unsqueeze(1)
        sentence_R, slot_R = (has_room_NW & (best_NW > -torch.inf)).nonzero(as_tuple=True)
        index_R = index_NW[sentence_R, slot_R]
        row_R = row_NK[sentence_R, index_R // num_choices]
        return row_R * num_choices + index_R % num_choices, sentence_R, slot_R

    def _take_out(self, live: _Live, row: int) -> None:
        """Record the hypothesis of a row as finished, or as cut off if its end did not come."""
        sentence = int(live.sentence_R[row])
        place = int(self._place_N[sentence])
        tokens = live.history_RT[row, 1:].tolist()
        ended = tokens[-1] == EOS
        candidate = Candidate(
            tokens[:-1] if ended else tokens,
            score=float(live.log_probability_R[row]) / length_norm(len(tokens), self._penalty),
            log_probability=float(live.log_probability_R[row]),
            attention=attention_rows(live.attention_RTS[row], self._lengths[place]),
            is_complete=ended,
        )
        if not ended:
            self._cut_off[place].append(candidate)
            return
        finished = self._finished[place]
        finished.append(candidate)
        self._free_N[sentence] -= 1
        if len(finished) >= self._num_best:
            scores = sorted((done.score for done in finished), reverse=True)
            self._threshold_N[sentence] = scores[self._num_best - 1]

    def _forget_finished_sentences(self) -> None:
        """Shrink the batch once enough of its sentences have no live hypothesis left."""
        active_N = torch.zeros_like(self._place_N, dtype=torch.bool)
        active_N[self.live.sentence_R] = True
        kept_N = active_N.nonzero()[:, 0]
        if not 0 < len(kept_N) < FULL_ENOUGH * len(active_N):
            return
        self._memory = self._memory.select(kept_N)
        self._place_N, self._limit_N = self._place_N[kept_N], self._limit_N[kept_N]
        self._free_N, self._threshold_N = self._free_N[kept_N], self._threshold_N[kept_N]
        new_index_N = active_N.cumsum(0) - 1
        self.live = self.live._replace(sentence_R=new_index_N[self.live.sentence_R])
