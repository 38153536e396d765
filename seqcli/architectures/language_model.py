"""A language model: a recurrent stack that tells what comes next from all that came before."""

import math

from torch import Tensor, nn

from seqcli.architectures.config import ModelConfig
from seqcli.architectures.recurrent import DecoderConfig, build_stack, embedding_table, value_or
from seqcli.config import require_fraction, require_positive
from seqcli.nn.cells import State
from seqcli.nn.dropout import VariationalDropout, drop_words
from seqcli.nn.masks import Reading
from seqcli.nn.stack import Stack
from seqcli.tokenizers.vocabulary import UNK


class LanguageModelConfig(ModelConfig):
    """Sizes and choices of a language model: the section `model` of a recipe."""

    embedding_size: int = 256  # also the width of the output layer
    decoder: DecoderConfig = DecoderConfig()
    tie_embeddings: bool = True  # embeddings and output layer are one table of vectors
    dropout: float = 0.3  # probability; the same units are dropped at every step
    word_dropout: float = 0.1  # probability that a token is read as unknown

    def __post_init__(self) -> None:
        require_positive("model.embedding_size", self.embedding_size)
        require_fraction("model.dropout", self.dropout)
        require_fraction("model.word_dropout", self.word_dropout)
        self.decoder.require_width(self.embedding_size, "the embedding")

    def summary(self) -> str:
        """Describe the model in a line."""
        tied = "" if self.tie_embeddings else " not"
        return (
            f"embeddings {self.embedding_size}{tied} tied to the output, "
            f"decoder {self.decoder.summary()}"
        )


class LanguageModel(nn.Module):
    """Embeddings, a stack, and an output layer as wide as the embeddings.

    The output layer is given as `output_weight` and `output_bias`, for a loss that never holds all
    logits.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        vocabulary_size: int,
        embedding_size: int,
        tie_embeddings: bool,
        input_dropout: float,
        output_dropout: float,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding_table(vocabulary_size, embedding_size)
        self.embedding_scale = math.sqrt(embedding_size)
        self.word_dropout = word_dropout
        self.input_dropout = VariationalDropout(input_dropout)
        self.stack = stack
        self.output_dropout = VariationalDropout(output_dropout)
        self.narrowing = None
        if stack.output_size != embedding_size:
            self.narrowing = nn.Linear(stack.output_size, embedding_size)
            nn.init.xavier_uniform_(self.narrowing.weight)
            nn.init.zeros_(self.narrowing.bias)
        table = self.embedding if tie_embeddings else embedding_table(*self.embedding.weight.shape)
        self.output_weight = table.weight
        self.output_bias = nn.Parameter(self.output_weight.new_zeros(vocabulary_size))

    def forward(
        self,
        tokens_BT: Tensor,
        state: list[State] | None = None,
        reading: Reading | None = None,
    ) -> tuple[Tensor, list[State]]:
        """Read T tokens from `state` on (an entry a layer; at the start of a sentence if None).

        Returns features_BTE, from which the output layer predicts what follows each token, and the
        state after the last position; with a `reading`, see `RecurrentLayer.forward`.
        """
        if self.training:
            tokens_BT = drop_words(tokens_BT, self.word_dropout, replacement=UNK, first=UNK + 1)
        embedded_BTE = self.embedding(tokens_BT) * self.embedding_scale
        states_BTH, last = self.stack(self.input_dropout(embedded_BTE), state, reading)
        features_BTE: Tensor = self.output_dropout(states_BTH)
        if self.narrowing is not None:
            features_BTE = self.narrowing(features_BTE)
        return features_BTE, last


def build_language_model(config: LanguageModelConfig, *, vocabulary_size: int) -> LanguageModel:
    """Build the untrained model."""
    settings = config.decoder
    return LanguageModel(
        build_stack(settings, input_size=config.embedding_size, dropout=config.dropout),
        vocabulary_size=vocabulary_size,
        embedding_size=config.embedding_size,
        tie_embeddings=config.tie_embeddings,
        input_dropout=value_or(settings.input_dropout, config.dropout),
        output_dropout=value_or(settings.output_dropout, config.dropout),
        word_dropout=config.word_dropout,
    )
