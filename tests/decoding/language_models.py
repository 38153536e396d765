"""Tiny untrained language models with strong opinions, and what they give by stepping."""

from typing import Any

import torch
from torch import Tensor

from seqcli.architectures.language_model import (
    LanguageModel,
    LanguageModelConfig,
    build_language_model,
)
from seqcli.architectures.recurrent import DecoderConfig
from seqcli.tokenizers import BOS, EOS, Tokenizer, TokenizerConfig, train_tokenizer

LINES = ["a dog runs", "two dogs run and a man reads", "a man", "", "a woman reads a book a day"]


def words(*, byte_fallback: bool = False) -> Tokenizer:
    config = TokenizerConfig(kind="words", byte_fallback=byte_fallback)
    return train_tokenizer(LINES, config)


def tiny_model(
    vocabulary: int,
    *,
    decoder: dict[str, Any] | None = None,
    end_bias: float = 1.0,
    scale: float = 2.0,
    **settings: Any,
) -> LanguageModel:
    """`decoder` has the settings of the stack, `settings` those of the model.

    `end_bias` makes the end of sentence likelier, so that outputs are of many lengths.
    """
    torch.manual_seed(0)
    config = LanguageModelConfig(
        decoder=DecoderConfig(**{"size": 12, **(decoder or {})}),
        **{"embedding_size": 8, **settings},
    )
    model = build_language_model(config, vocabulary_size=vocabulary)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
        model.output_bias[EOS] += end_bias
    return model.eval().requires_grad_(False)


def next_log_probabilities(model: LanguageModel, ids: list[int]) -> Tensor:
    """Return what the model gives every token after these (V), one step at a time."""
    state = None
    for token in [BOS, *ids]:
        features_11E, state = model(torch.tensor([[token]]), state)
    logits_V = features_11E[0, 0] @ model.output_weight.T + model.output_bias
    return logits_V.log_softmax(0)
