"""Trained classifiers and taggers as translators: lines in, labels out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice

import torch
from torch import Tensor

from seqcli.architectures.classifier import Classifier
from seqcli.architectures.tagger import Tagger
from seqcli.architectures.text_reader import TextReader
from seqcli.data.batch import source_tensors
from seqcli.data.words import cut_words
from seqcli.decoding.grouping import batches_by_length
from seqcli.text.words import split_words
from seqcli.tokenizers import Tokenizer
from seqcli.tokenizers.labels import LabelTokenizer
from seqcli.translator import Hypothesis, Translation

LINES_AT_A_TIME = 1024  # from which batches of similar length are made

Units = list[list[int]]  # the token ids of a text, unit by unit; each unit gets a label


class Labeller(ABC):
    """Reads each line as a whole, however long it is, and says the labels of its units.

    A line of white space alone has none. The model computes as it is: in float32, on its device.
    """

    def __init__(self, model: TextReader, *, source_tokenizer: Tokenizer, labels: LabelTokenizer):
        self._model = model
        self._tokenizer = source_tokenizer
        self._labels = labels.labels

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Label lines in the order they come."""
        waiting = iter(lines)
        while group := list(islice(waiting, LINES_AT_A_TIME)):
            yield from self._translate_group(group)

    @abstractmethod
    def _cut(self, lines: Sequence[str]) -> list[Units]:
        """Cut lines into units; one of white space alone has none."""

    @abstractmethod
    def _judge(self, log_probabilities: Tensor, texts: Sequence[Units]) -> list[list[Hypothesis]]:
        """Choose labels for each text of a batch by what the model gives for it, in nats."""

    def _translate_group(self, lines: Sequence[str]) -> list[Translation]:
        texts = self._cut(lines)
        sources = [list(chain.from_iterable(units)) for units in texts]
        found: dict[int, list[Hypothesis]] = {}
        for rows in batches_by_length([len(source) and len(source) + 1 for source in sources]):
            log_probabilities = self._compute([sources[row] for row in rows])
            hypotheses = self._judge(log_probabilities, [texts[row] for row in rows])
            found.update(zip(rows, hypotheses, strict=True))
        nothing = [Hypothesis("", 0.0, 0.0)]
        return [
            Translation(
                line,
                tuple(found.get(row, nothing)),
                tuple(self._tokenizer.vocabulary.pieces_of(sources[row])),
            )
            for row, line in enumerate(lines)
        ]

    @torch.inference_mode()
    def _compute(self, sources: Sequence[list[int]]) -> Tensor:
        device = self._model.output.weight.device
        source_BS, mask_BS = (tensor.to(device) for tensor in source_tensors(sources))
        log_probabilities: Tensor = self._model.output(self._model(source_BS, mask_BS))
        return log_probabilities.log_softmax(-1)


class TextClassifier(Labeller):
    """Gives the `num_best` most probable labels of each line, or as many as there are."""

    def __init__(
        self,
        model: Classifier,
        *,
        source_tokenizer: Tokenizer,
        labels: LabelTokenizer,
        num_best: int = 1,
    ) -> None:
        super().__init__(model, source_tokenizer=source_tokenizer, labels=labels)
        self._num_best = min(num_best, len(self._labels))

    def _cut(self, lines: Sequence[str]) -> list[Units]:
        encoded = self._tokenizer.encode_batch([line if line.strip() else "" for line in lines])
        return [[ids] if ids else [] for ids in encoded]

    def _judge(self, log_probabilities: Tensor, texts: Sequence[Units]) -> list[list[Hypothesis]]:
        best = log_probabilities.topk(self._num_best)
        return [
            [
                Hypothesis(self._labels[label], nats, nats, tokens=(self._labels[label],))
                for label, nats in zip(labels, values, strict=True)
            ]
            for labels, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]


class TextTagger(Labeller):
    """Gives the most probable tag of each word, as many as there are words between spaces."""

    def __init__(self, model: Tagger, *, source_tokenizer: Tokenizer, labels: LabelTokenizer):
        super().__init__(model, source_tokenizer=source_tokenizer, labels=labels)

    def _cut(self, lines: Sequence[str]) -> list[Units]:
        return cut_words(self._tokenizer, [split_words(line) for line in lines])

    def _judge(self, log_probabilities: Tensor, texts: Sequence[Units]) -> list[list[Hypothesis]]:
        best_BS = log_probabilities.max(2)
        rows = zip(texts, best_BS.indices.tolist(), best_BS.values.tolist(), strict=True)
        return [[self._hypothesis(units, labels, nats)] for units, labels, nats in rows]

    def _hypothesis(self, units: Units, labels: Sequence[int], nats: Sequence[float]) -> Hypothesis:
        """Take what is said at the last token of each word."""
        ends = [end - 1 for end in accumulate(map(len, units))]
        tags = tuple(self._labels[labels[end]] for end in ends)
        total = sum(nats[end] for end in ends)
        return Hypothesis(" ".join(tags), total, total, tokens=tags)
