"""Sequence to sequence: a recurrent encoder and a recurrent decoder, with or without attention."""

import math

from torch import Tensor, nn

from seqcli.architectures.config import ModelConfig
from seqcli.architectures.recurrent import (
    DecoderConfig,
    EncoderConfig,
    build_encoder,
    build_stack,
    embedding_table,
    value_or,
)
from seqcli.config import (
    require_fraction,
    require_one_of,
    require_positive,
)
from seqcli.errors import ConfigError
from seqcli.nn.attention import ATTENTIONS, NO_ATTENTION, Memory
from seqcli.nn.bridge import BRIDGES
from seqcli.nn.cells import CELLS
from seqcli.nn.decoder import Decoder, DecoderState
from seqcli.nn.dropout import drop_words
from seqcli.nn.encoder import Encoder
from seqcli.nn.masks import Reading
from seqcli.tokenizers.vocabulary import UNK

TIES = {  # which of the three tables of vectors are one
    "all": ("source", "target", "output"),
    "source-target": ("source", "target"),
    "source-output": ("source", "output"),
    "target-output": ("target", "output"),
    "none": (),
}
DEFAULT_HEADS = 4


class Seq2SeqConfig(ModelConfig):
    """Sizes and choices of a Seq2Seq model: the section `model` of a recipe."""

    embedding_size: int = 256
    source_embedding_size: int | None = None  # embedding_size
    target_embedding_size: int | None = None  # embedding_size; also the width of the output layer
    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    bridge: str = "dense"  # from encoder to decoder state: zero, copy, dense
    attention: str = "general"
    attention_heads: int | None = None  # 4; of multi-head attention
    input_feeding: bool = False  # the decoder reads its last output features with each token
    tie_embeddings: str = "all"  # which of source, target and output vectors are one table
    dropout: float = 0.3  # probability; the same units are dropped at every step
    word_dropout: float = 0.1  # probability that a token is read as unknown, on both sides

    def __post_init__(self) -> None:
        for name in ("embedding_size", "source_embedding_size", "target_embedding_size"):
            if (size := getattr(self, name)) is not None:
                require_positive(f"model.{name}", size)
        require_one_of("model.bridge", self.bridge, BRIDGES)
        require_one_of("model.attention", self.attention, ATTENTIONS)
        require_one_of("model.tie_embeddings", self.tie_embeddings, TIES)
        require_fraction("model.dropout", self.dropout)
        require_fraction("model.word_dropout", self.word_dropout)
        self._require_equal_tied_sizes()
        self.encoder.require_width(self.source_size, "the source embedding")
        self.decoder.require_width(self.decoder_input_size, "the decoder's input")
        self._require_fitting_attention()
        self._require_fitting_bridge()

    @property
    def source_size(self) -> int:
        """The width of the source embeddings."""
        return self.source_embedding_size or self.embedding_size

    @property
    def target_size(self) -> int:
        """The width of the target embeddings and of the features for the output layer."""
        return self.target_embedding_size or self.embedding_size

    @property
    def decoder_input_size(self) -> int:
        """The width of what the decoder's lowest layer or its projection reads."""
        return self.target_size * (2 if self.input_feeding else 1)

    @property
    def has_attention(self) -> bool:
        return self.attention != NO_ATTENTION

    @property
    def heads(self) -> int:
        return DEFAULT_HEADS if self.attention_heads is None else self.attention_heads

    def summary(self) -> str:
        """Describe the model in a line."""
        other = f"/{self.target_size}" if self.target_size != self.source_size else ""
        return (
            f"embeddings {self.source_size}{other}, encoder {self.encoder.summary()}, "
            f"decoder {self.decoder.summary()}, "
            f"{self.attention if self.has_attention else 'no'} attention"
            f"{' with input feeding' if self.input_feeding else ''}"
        )

    def _require_equal_tied_sizes(self) -> None:
        if "source" in TIES[self.tie_embeddings] and self.source_size != self.target_size:
            raise ConfigError(
                f"model.tie_embeddings cannot be {self.tie_embeddings!r} where "
                f"model.source_embedding_size is {self.source_size} and "
                f"model.target_embedding_size {self.target_size}",
                why="tied embeddings are one table of vectors",
                fix="Make the sizes equal, or set model.tie_embeddings to 'target-output'",
            )

    def _require_fitting_attention(self) -> None:
        memory_size, query_size = self.encoder.output_size, self.decoder.output_size
        if self.attention == "dot" and query_size != memory_size:
            raise ConfigError(
                f"model.attention cannot be 'dot' where model.decoder.size is {query_size} and the "
                f"encoder gives {memory_size} units (model.encoder.size)",
                why="a dot product needs a decoder as wide as the encoder, both directions counted",
                fix="Make the widths equal, or set model.attention to 'general'",
            )
        if "heads" not in ATTENTIONS[self.attention].options:
            if self.attention_heads is not None:
                raise ConfigError(
                    f"model.attention_heads has no effect where model.attention is "
                    f"{self.attention!r}",
                    fix="Leave it out, or set model.attention to 'multi-head'",
                )
        elif (heads := self.heads) < 1 or query_size % heads:
            raise ConfigError(
                f"model.attention_heads cannot be {heads} where model.decoder.size is {query_size}",
                why="each head takes an equal share of the decoder's units",
                fix="Choose a number of heads that divides model.decoder.size",
            )
        if self.input_feeding and not self.has_attention:
            raise ConfigError(
                "model.input_feeding cannot be true where model.attention is 'none'",
                why="what it feeds is what the attention has read",
                fix="Set model.input_feeding to false, or choose an attention",
            )

    def _require_fitting_bridge(self) -> None:
        encoder, decoder = self.encoder, self.decoder
        if self.bridge == "zero" and not self.has_attention:
            raise ConfigError(
                "model.bridge cannot be 'zero' where model.attention is 'none'",
                why="nothing of the source would reach the decoder",
                fix="Set model.bridge to 'copy' or 'dense', or choose an attention",
            )
        if self.bridge != "copy":
            return
        shapes = [
            (stack.layers, stack.output_size, CELLS[stack.cell].state_names)
            for stack in (encoder, decoder)
        ]
        if shapes[0] != shapes[1]:
            described = [
                f"{layers} x {size} units with {' and '.join(names)}"
                for layers, size, names in shapes
            ]
            raise ConfigError(
                f"model.bridge cannot be 'copy' from an encoder of {described[0]} to a decoder of "
                f"{described[1]}",
                why="the state of each encoder layer becomes that of the decoder layer of its "
                "height",
                fix="Give both the same layers and kind of cell, and model.decoder.size the width "
                "of the encoder, both directions counted; or set model.bridge to 'dense'",
            )


class Seq2Seq(nn.Module):
    """Encoder, decoder, and an output layer over the target vocabulary.

    Embeddings and output layer are tables of vectors, of which those that `tie` names are one.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        source_embedding_size: int,
        target_embedding_size: int,
        tie: str,
        word_dropout: float,
    ) -> None:
        super().__init__()
        tied = TIES[tie]
        self.source_embedding = embedding_table(source_vocabulary_size, source_embedding_size)
        if {"source", "target"} <= set(tied):
            self.target_embedding = self.source_embedding
        else:
            self.target_embedding = embedding_table(target_vocabulary_size, target_embedding_size)
        if "output" not in tied:
            self.output_weight = embedding_table(
                target_vocabulary_size, target_embedding_size
            ).weight
        elif "target" in tied:
            self.output_weight = self.target_embedding.weight
        else:
            self.output_weight = self.source_embedding.weight
        self.output_bias = nn.Parameter(self.output_weight.new_zeros(target_vocabulary_size))
        self.source_scale = math.sqrt(source_embedding_size)
        self.target_scale = math.sqrt(target_embedding_size)
        self.word_dropout = word_dropout
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, source_BS: Tensor, source_mask_BS: Tensor, target_BT: Tensor) -> Tensor:
        """Return features_BTE, from which the output layer predicts what follows each token."""
        if self.training:
            source_BS = drop_words(source_BS, self.word_dropout, replacement=UNK, first=UNK + 1)
            target_BT = drop_words(target_BT, self.word_dropout, replacement=UNK, first=UNK + 1)
        memory, state = self.encode(source_BS, source_mask_BS)
        features_BTE: Tensor
        features_BTE, _ = self.decoder(self.embed_target(target_BT), memory, state)
        return features_BTE

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        """Read the source; return what the decoder attends to and the state it begins with."""
        reading = Reading(mask_BS, with_state=self.decoder.bridge.needs_last_state)
        embedded_BSE = self.source_embedding(source_BS) * self.source_scale
        states_BSH, last = self.encoder(embedded_BSE, reading)
        memory = self.decoder.attention.remember(states_BSH, mask_BS)
        return memory, self.decoder.start(states_BSH, mask_BS, last)

    def embed_target(self, target_BT: Tensor) -> Tensor:
        """Return the inputs_BTE of the decoder."""
        embedded_BTE: Tensor = self.target_embedding(target_BT) * self.target_scale
        return embedded_BTE


def build_seq2seq(
    config: Seq2SeqConfig, *, source_vocabulary_size: int, target_vocabulary_size: int
) -> Seq2Seq:
    """Build the untrained model."""
    encoder = build_encoder(config.encoder, input_size=config.source_size, dropout=config.dropout)
    decoder = _build_decoder(config, memory_size=config.encoder.output_size)
    return Seq2Seq(
        encoder,
        decoder,
        source_vocabulary_size=source_vocabulary_size,
        target_vocabulary_size=target_vocabulary_size,
        source_embedding_size=config.source_size,
        target_embedding_size=config.target_size,
        tie=config.tie_embeddings,
        word_dropout=config.word_dropout,
    )


def _build_decoder(config: Seq2SeqConfig, *, memory_size: int) -> Decoder:
    settings = config.decoder
    stack = build_stack(settings, input_size=config.decoder_input_size, dropout=config.dropout)
    options = {"heads": config.heads} if "heads" in ATTENTIONS[config.attention].options else {}
    return Decoder(
        stack,
        ATTENTIONS[config.attention](
            query_size=stack.output_size, memory_size=memory_size, **options
        ),
        BRIDGES[config.bridge](
            memory_size=memory_size,
            num_layers=settings.layers,
            num_parts=len(stack.state_names),
            hidden_size=settings.size,
        ),
        feature_size=config.target_size,
        input_feeding=config.input_feeding,
        input_dropout=value_or(settings.input_dropout, config.dropout),
        output_dropout=value_or(settings.output_dropout, config.dropout),
    )
