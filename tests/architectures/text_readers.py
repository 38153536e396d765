"""Models that read text, each choice of an encoder in at least one, and what their tests share."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqcli.architectures.classifier import ClassifierConfig, build_classifier
from seqcli.architectures.recurrent import EncoderConfig
from seqcli.architectures.tagger import TaggerConfig, build_tagger
from seqcli.architectures.text_reader import TextReader
from seqcli.data.batch import source_tensors
from seqcli.tokenizers.vocabulary import UNK

VOCABULARY, LABELS = 20, 5
ENCODERS: dict[str, dict[str, Any]] = {
    "the default": {},
    "layer-norm LSTM, highway": {"cell": "layer-norm-lstm", "stack": "highway", "layers": 3},
    "dense GRU from right to left": {"cell": "gru", "stack": "dense", "direction": "backward"},
    "relu RNN, projected": {"cell": "rnn-relu", "projection": True, "skip_from": 1},
    "plain tanh RNN from left to right": {
        "cell": "rnn-tanh",
        "stack": "plain",
        "direction": "forward",
    },
}
SENTENCES = [[4, 5, 6, 7, 8], [9], [10, 4, 11], [5, 5, 5, 5, 5, 5, 12]]


def classifier(encoder: str = "the default", **settings: Any) -> TextReader:
    """A small classifier, without dropout unless `settings` have it."""
    return build_classifier(
        ClassifierConfig(**_settings(encoder, settings)),
        vocabulary_size=VOCABULARY,
        num_labels=LABELS,
    )


def tagger(encoder: str = "the default", **settings: Any) -> TextReader:
    """The same for a tagger."""
    return build_tagger(
        TaggerConfig(**_settings(encoder, settings)), vocabulary_size=VOCABULARY, num_labels=LABELS
    )


def _settings(encoder: str, settings: dict[str, Any]) -> dict[str, Any]:
    stack = {"size": 16, **ENCODERS[encoder], **settings.pop("stack", {})}
    values = {"embedding_size": 12, "dropout": 0.0, "word_dropout": 0.0, **settings}
    return {"encoder": EncoderConfig(**stack), **values}


def logits(model: TextReader, sentences: Sequence[list[int]]) -> Tensor:
    logits_BL: Tensor = model.output(model(*source_tensors(sentences)))
    return logits_BL


def random_sentences(count: int = 8) -> list[list[int]]:
    return [
        torch.randint(UNK + 1, VOCABULARY, (int(torch.randint(2, 8, ())),)).tolist()
        for _ in range(count)
    ]


def learn_by_heart(model: nn.Module, loss: Callable[[], Tensor]) -> float:
    """Train until little of `loss` is left, or for long; return what is left."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    left = torch.inf
    for _ in range(200):
        optimizer.zero_grad()
        nats = loss()
        nats.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        left = nats.item()
        if left < 0.02:
            break
    return left
