"""A classifier: a recurrent encoder, and one label for a text by a pooling of its states."""

from torch import Tensor

from seqcli.architectures.recurrent import build_encoder
from seqcli.architectures.text_reader import TextReader, TextReaderConfig
from seqcli.config import require_one_of
from seqcli.nn.encoder import Encoder
from seqcli.nn.heads import POOLINGS, Pooling


class ClassifierConfig(TextReaderConfig):
    """Sizes and choices of a classifier: the section `model` of a recipe."""

    pooling: str = "max"  # of the states into one vector: last, mean, max, attention

    def __post_init__(self) -> None:
        super(ClassifierConfig, self).__post_init__()  # noqa: UP008  # msgspec makes the class anew
        require_one_of("model.pooling", self.pooling, POOLINGS)

    def summary(self) -> str:
        """Describe the model in a line."""
        text_reader = super(ClassifierConfig, self).summary()  # noqa: UP008  # as above
        return f"{text_reader}, {self.pooling} pooling"


class Classifier(TextReader):
    """Reads a text; its output layer judges one vector for all of it."""

    def __init__(
        self,
        encoder: Encoder,
        pooling: Pooling,
        *,
        vocabulary_size: int,
        embedding_size: int,
        num_labels: int,
        word_dropout: float,
    ) -> None:
        super().__init__(
            encoder,
            vocabulary_size=vocabulary_size,
            embedding_size=embedding_size,
            num_labels=num_labels,
            word_dropout=word_dropout,
        )
        self.pooling = pooling

    def forward(self, source_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """Return features_BH, from which the output layer tells the label of each text."""
        features_BH: Tensor = self.pooling(self.read(source_BS, mask_BS), mask_BS)
        return features_BH


def build_classifier(
    config: ClassifierConfig, *, vocabulary_size: int, num_labels: int
) -> Classifier:
    """Build the untrained model."""
    settings = config.encoder
    return Classifier(
        build_encoder(settings, input_size=config.embedding_size, dropout=config.dropout),
        POOLINGS[config.pooling](size=settings.output_size, direction=settings.direction),
        vocabulary_size=vocabulary_size,
        embedding_size=config.embedding_size,
        num_labels=num_labels,
        word_dropout=config.word_dropout,
    )
