"""Small tasks of classification and tagging, with untrained models, for several tests."""

from typing import Any

from seqcli.architectures.classifier import ClassifierConfig
from seqcli.architectures.recurrent import EncoderConfig
from seqcli.architectures.tagger import TaggerConfig
from seqcli.data.dataset import Text
from seqcli.experiment import ClassificationRecipe, TaggingRecipe
from seqcli.tasks.classification import ClassificationTask
from seqcli.tasks.tagging import TaggingTask
from seqcli.tokenizers import TokenizerConfig

REVIEWS: Text = (
    ["a fine film", "dull , dull , dull", "what a day", "I slept", "fine"],
    ["good", " bad ", "not  sure", "bad", "good"],
)
SENTENCES: Text = (
    ["the unlikeliest dogs  bark", "Ann met\tBob", "dogs bark"],
    ["DET ADJ NOUN VERB", "B-PER O B-PER", "NOUN VERB"],
)
PIECES = TokenizerConfig(kind="characters")  # so that words have several
SIZES: dict[str, Any] = {
    "embedding_size": 6,
    "encoder": EncoderConfig(size=5, layers=1),
    "dropout": 0.0,
    "word_dropout": 0.0,
}


def classification(text: Text = REVIEWS, **sections: Any) -> ClassificationTask:
    recipe = ClassificationRecipe(
        **{"model": ClassifierConfig(**SIZES), "tokenizer": PIECES, **sections}
    )
    return ClassificationTask(recipe, ClassificationTask.learn_tokenizers(recipe, text))


def tagging(text: Text = SENTENCES, **sections: Any) -> TaggingTask:
    recipe = TaggingRecipe(**{"model": TaggerConfig(**SIZES), "tokenizer": PIECES, **sections})
    return TaggingTask(recipe, TaggingTask.learn_tokenizers(recipe, text))
