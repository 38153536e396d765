"""What classifier and tagger share: a recurrent encoder that reads a text, and an output layer."""

import math

from torch import Tensor, nn

from seqcli.architectures.config import ModelConfig
from seqcli.architectures.recurrent import EncoderConfig, embedding_table
from seqcli.config import require_fraction, require_positive
from seqcli.nn.dropout import drop_words
from seqcli.nn.encoder import Encoder
from seqcli.nn.masks import Reading
from seqcli.tokenizers.vocabulary import UNK


class TextReaderConfig(ModelConfig):
    """Sizes and choices of a model that reads a whole text and says something of it."""

    embedding_size: int = 128
    encoder: EncoderConfig = EncoderConfig()
    dropout: float = 0.3  # probability; the same units are dropped at every token
    word_dropout: float = 0.1  # probability that a token is read as unknown

    def __post_init__(self) -> None:
        require_positive("model.embedding_size", self.embedding_size)
        require_fraction("model.dropout", self.dropout)
        require_fraction("model.word_dropout", self.word_dropout)
        self.encoder.require_width(self.embedding_size, "the embedding")

    def summary(self) -> str:
        """Describe the model in a line."""
        return f"embeddings {self.embedding_size}, encoder {self.encoder.summary()}"


class TextReader(nn.Module):
    """Embeddings and encoder, and an output layer over labels for whatever is made of its states.

    Labels are counted from 0: they have no padding and no marks among them.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        embedding_size: int,
        num_labels: int,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.source_embedding = embedding_table(vocabulary_size, embedding_size)
        self.source_scale = math.sqrt(embedding_size)
        self.word_dropout = word_dropout
        self.encoder = encoder
        self.output = nn.Linear(encoder.stack.output_size, num_labels)

    def read(self, source_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """Return the states_BSH of the tokens, zero for padding."""
        if self.training:
            source_BS = drop_words(source_BS, self.word_dropout, replacement=UNK, first=UNK + 1)
        states_BSH: Tensor
        embedded_BSE = self.source_embedding(source_BS) * self.source_scale
        states_BSH, _ = self.encoder(embedded_BSE, Reading(mask_BS))
        return states_BSH
