"""How probable lines of text are to a trained language model."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

from seqcli.architectures.language_model import LanguageModel
from seqcli.data.batch import text_batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example, Examples
from seqcli.text.line_scores import LineScore
from seqcli.tokenizers import EOS, Tokenizer

LINES_AT_A_TIME = 1024  # from which batches of similar length are made
TOKENS_AT_A_TIME = 2048  # computed in one call, padding included


class TextScorer:
    """Scores lines as a whole, however long they are."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def score(self, lines: Iterable[str]) -> Iterator[LineScore]:
        """Score lines in the order they come; an empty one is an end of sentence alone."""
        waiting = iter(lines)
        while group := list(itertools.islice(waiting, LINES_AT_A_TIME)):
            yield from self._score_group(group)

    def _score_group(self, lines: Sequence[str]) -> list[LineScore]:
        encoded = self._tokenizer.encode_batch(lines)
        examples = [Example(ids, ids) for ids in encoded]
        found: dict[int, list[float]] = {}
        lengths = Examples.of(examples).lengths
        for group in token_batches(lengths, batch_tokens=TOKENS_AT_A_TIME, seed=0, epoch=0):
            rows = group.tolist()
            found.update(zip(rows, self._surprise([examples[row] for row in rows]), strict=True))
        return [
            LineScore(
                line, tuple(self._tokenizer.vocabulary.pieces_of([*ids, EOS])), tuple(found[row])
            )
            for row, (line, ids) in enumerate(zip(lines, encoded, strict=True))
        ]

    @torch.inference_mode()
    def _surprise(self, examples: Sequence[Example]) -> list[list[float]]:
        """Return the nats of each token of each row; long rows are read part by part."""
        model = self._model
        batch = text_batch(examples).to(model.output_bias.device)
        steps = max(1, TOKENS_AT_A_TIME // len(examples))
        state, parts = None, []
        for input_BT, output_BT in zip(
            batch.input_BT.split(steps, 1), batch.output_BT.split(steps, 1), strict=True
        ):
            features_BTE, state = model(input_BT, state)
            logits_BTV = nn.functional.linear(features_BTE, model.output_weight, model.output_bias)
            parts.append(nn.functional.cross_entropy(logits_BTV.mT, output_BT, reduction="none"))
        rows: list[list[float]] = torch.cat(parts, 1).tolist()
        return [row[: len(example.target) + 1] for row, example in zip(rows, examples, strict=True)]
