"""Sequence to sequence with attention: a recurrent encoder and a recurrent decoder."""

import math

from torch import Tensor, nn

from seqcli.config import Config, require_fraction, require_one_of, require_positive
from seqcli.errors import ConfigError
from seqcli.nn.attention import ATTENTIONS, Memory
from seqcli.nn.decoder import Decoder
from seqcli.nn.dropout import drop_words
from seqcli.nn.encoder import Encoder
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import UNK


class Seq2SeqConfig(Config):
    """Sizes and choices of a Seq2Seq model: the section `model` of a recipe."""

    embedding_size: int = 256
    encoder_size: int = 256  # units in each direction
    encoder_layers: int = 2
    encoder_stack: str = "residual"
    decoder_size: int = 512
    decoder_layers: int = 1
    decoder_stack: str = "residual"
    attention: str = "general"
    tie_embeddings: str = "all"  # all: source, target and output; target: target and output; none
    dropout: float = 0.3  # probability; the same units are dropped at every step
    word_dropout: float = 0.1  # probability that a token is read as unknown, on both sides

    def __post_init__(self) -> None:
        sizes = ("embedding_size", "encoder_size", "decoder_size")
        for name in (*sizes, "encoder_layers", "decoder_layers"):
            require_positive(f"model.{name}", getattr(self, name))
        for name in ("encoder_stack", "decoder_stack"):
            require_one_of(f"model.{name}", getattr(self, name), STACKS)
        require_one_of("model.attention", self.attention, ATTENTIONS)
        require_one_of("model.tie_embeddings", self.tie_embeddings, ("all", "target", "none"))
        require_fraction("model.dropout", self.dropout)
        require_fraction("model.word_dropout", self.word_dropout)
        if self.attention == "dot" and self.decoder_size != 2 * self.encoder_size:
            raise ConfigError(
                f"model.attention cannot be 'dot' where model.decoder_size is {self.decoder_size} "
                f"and model.encoder_size {self.encoder_size}",
                why="a dot product needs a decoder as wide as both directions of the encoder",
                fix="Make decoder_size twice encoder_size, or set model.attention to 'general'",
            )


class Seq2Seq(nn.Module):
    """Bidirectional encoder, attentive decoder and an output layer over the target vocabulary."""

    def __init__(
        self,
        *,
        source_size: int,
        target_size: int,
        embedding_size: int,
        encoder_size: int,
        encoder_layers: int,
        encoder_stack: str,
        decoder_size: int,
        decoder_layers: int,
        decoder_stack: str,
        attention: str,
        tie_embeddings: str,
        dropout: float,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.source_embedding = _embedding(source_size, embedding_size)
        self.target_embedding = (
            self.source_embedding
            if tie_embeddings == "all"
            else _embedding(target_size, embedding_size)
        )
        self.output_weight = (
            _embedding(target_size, embedding_size).weight
            if tie_embeddings == "none"
            else self.target_embedding.weight
        )
        self.output_bias = nn.Parameter(self.output_weight.new_zeros(target_size))
        self.embedding_scale = math.sqrt(embedding_size)
        self.word_dropout = word_dropout
        self.encoder = Encoder(
            input_size=embedding_size,
            hidden_size=encoder_size,
            num_layers=encoder_layers,
            stack=encoder_stack,
            dropout=dropout,
        )
        self.decoder = Decoder(
            input_size=embedding_size,
            hidden_size=decoder_size,
            memory_size=self.encoder.output_size,
            num_layers=decoder_layers,
            stack=decoder_stack,
            attention=attention,
            dropout=dropout,
        )

    def forward(self, source_BS: Tensor, source_mask_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Return features_BTE, from which the output layer predicts what follows each token."""
        if self.training:
            source_BS = drop_words(source_BS, self.word_dropout, replacement=UNK, first=UNK + 1)
            target_BT = drop_words(target_BT, self.word_dropout, replacement=UNK, first=UNK + 1)
        memory = self.encode(source_BS, source_mask_BS)
        embedded_BTE = self.target_embedding(target_BT) * self.embedding_scale
        features_BTE: Tensor = self.decoder(embedded_BTE, memory, self.decoder.start(memory))
        return features_BTE

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> Memory:
        """Read the source and prepare it for the decoder's attention."""
        embedded_BSE = self.source_embedding(source_BS) * self.embedding_scale
        return self.decoder.remember(self.encoder(embedded_BSE, mask_BS), mask_BS)


def _embedding(size: int, width: int) -> nn.Embedding:
    """Entries of unit length on average, as an output layer wants; inputs are scaled up."""
    embedding = nn.Embedding(size, width)
    nn.init.normal_(embedding.weight, std=width**-0.5)
    return embedding
