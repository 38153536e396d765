"""A tagger: a recurrent encoder, and a tag for each word by the state at its last token."""

from torch import Tensor

from seqcli.architectures.recurrent import build_encoder
from seqcli.architectures.text_reader import TextReader, TextReaderConfig


class TaggerConfig(TextReaderConfig):
    """Sizes and choices of a tagger: the section `model` of a recipe."""


class Tagger(TextReader):
    """Reads a text; its output layer judges the state of each token."""

    def forward(self, source_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """Return features_BSH, from which the output layer tells the tag of each token."""
        return self.read(source_BS, mask_BS)


def build_tagger(config: TaggerConfig, *, vocabulary_size: int, num_labels: int) -> Tagger:
    """Build the untrained model."""
    return Tagger(
        build_encoder(config.encoder, input_size=config.embedding_size, dropout=config.dropout),
        vocabulary_size=vocabulary_size,
        embedding_size=config.embedding_size,
        num_labels=num_labels,
        word_dropout=config.word_dropout,
    )
