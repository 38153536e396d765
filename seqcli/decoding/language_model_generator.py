"""A trained language model that writes: beginnings in, whole lines out."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from seqcli.architectures.language_model import LanguageModel
from seqcli.data.batch import pad_rows
from seqcli.decoding.grouping import batches_by_length
from seqcli.decoding.sampling import draw
from seqcli.nn.masks import Reading, last_of
from seqcli.text.generation import GenerationConfig
from seqcli.tokenizers import BOS, EOS, PAD, UNK, Tokenizer
from seqcli.tokenizers.continuation import Continuation
from seqcli.translator import Translation

LINES_AT_A_TIME = 1024  # from which batches of similar length are made


class TextGenerator:
    """Goes on with lines, token by token, from a random distribution or greedily.

    What is drawn for a line depends on the `seed`, the line's number and the line: not on its
    neighbours in a batch, so far as the precision of the model allows (in float64, it does).
    """

    def __init__(
        self, model: LanguageModel, config: GenerationConfig, *, tokenizer: Tokenizer, seed: int = 1
    ) -> None:
        self._model = model
        self._config = config
        self._tokenizer = tokenizer
        self._seed = seed
        unused = [PAD, BOS, UNK] if tokenizer.vocabulary.has_bytes else [PAD, BOS]
        self._never_drawn = torch.tensor(unused, device=model.output_bias.device)

    @property
    def max_tokens(self) -> int:
        """How many tokens a continuation may have, the end of sentence included."""
        return self._config.max_tokens

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Go on with lines in the order they come; an empty one is written from nothing."""
        waiting = iter(lines)
        return self.generate(iter(lambda: list(itertools.islice(waiting, LINES_AT_A_TIME)), []))

    def generate(self, groups: Iterable[Sequence[str]]) -> Iterator[Translation]:
        """Do the same with groups of lines, each as soon as it comes."""
        number = 0
        for group in groups:
            yield from self._continue_group(group, number)
            number += len(group)

    def _continue_group(self, lines: Sequence[str], number: int) -> list[Translation]:
        """Go on with lines, of which the first has this number, in batches of similar length."""
        beginnings = self._tokenizer.encode_batch(lines)
        lengths = [1 + len(beginning) for beginning in beginnings]
        found: dict[int, Continuation] = {}
        for rows in batches_by_length(lengths, most_rows=self._config.batch_sentences):
            chances = [random.Random(f"{self._seed} {number + row}") for row in rows]
            found.update(
                zip(rows, self._continue([beginnings[row] for row in rows], chances), strict=True)
            )
        return [
            found[row].of_line(line, beginning, self._tokenizer)
            for row, (line, beginning) in enumerate(zip(lines, beginnings, strict=True))
        ]

    @torch.inference_mode()
    def _continue(
        self, beginnings: Sequence[Sequence[int]], chances: Sequence[random.Random]
    ) -> list[Continuation]:
        model = self._model
        device = model.output_bias.device
        tokens_BT = pad_rows([[BOS, *beginning] for beginning in beginnings]).to(device)
        reading = Reading(tokens_BT != PAD, with_state=True)
        features_BTE, state = model(tokens_BT, None, reading)
        features_RE = last_of(features_BTE, reading.mask_BS)
        tokens: list[list[int]] = [[] for _ in beginnings]
        log_probabilities = [0.0] * len(beginnings)
        live = list(range(len(beginnings)))
        while True:
            tokens_R, nats_R = self._draw(features_RE, [chances[row] for row in live])
            for row, token, nats in zip(live, tokens_R.tolist(), nats_R.tolist(), strict=True):
                tokens[row].append(token)
                log_probabilities[row] -= nats
            if len(tokens[live[0]]) == self._config.max_tokens:
                break
            kept = [place for place, row in enumerate(live) if tokens[row][-1] != EOS]
            if not kept:
                break
            if len(kept) < len(live):
                live = [live[place] for place in kept]
                kept_R = torch.tensor(kept, device=device)
                tokens_R = tokens_R[kept_R]
                state = [tuple(part_BH[kept_R] for part_BH in layer) for layer in state]
            features_R1E, state = model(tokens_R.unsqueeze(1), state)
            features_RE = features_R1E[:, 0]
        return list(map(Continuation, tokens, log_probabilities))

    def _draw(self, features_RE: Tensor, chances: Sequence[random.Random]) -> tuple[Tensor, Tensor]:
        """Draw what follows each row; return it with its negative log-probability."""
        model = self._model
        logits_RV = nn.functional.linear(features_RE, model.output_weight, model.output_bias)
        possible_RV = logits_RV.index_fill(1, self._never_drawn, -torch.inf)
        uniform_R = torch.tensor([chance.random() for chance in chances], dtype=torch.float64)
        tokens_R = draw(possible_RV, uniform_R.to(logits_RV.device), self._config)
        return tokens_R, nn.functional.cross_entropy(logits_RV, tokens_R, reduction="none")
