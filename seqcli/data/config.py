"""The settings of the text that a training learns from."""

import math
import re
from typing import ClassVar

from seqcli.config import Config, require_one_of, require_positive, require_probability
from seqcli.data.corpora import corpora_of
from seqcli.data.filters import CUT, SKIP
from seqcli.errors import ConfigError

SURROGATE = re.compile("[\ud800-\udfff]")  # a byte of a name that is not UTF-8, as Python has it


class DataConfig(Config):
    """Where the text is and what of it is used: the section `data` of a recipe.

    A text is a source and a target file, or several such pairs one after another; in place of a
    pair there can be a file in .tsv (or .tsv.gz), each line of which is SOURCE TAB TARGET.
    """

    files: ClassVar[tuple[str, ...]] = ("source", "target")  # that each text is made of

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()  # none: some lines are taken out of the training text
    test: tuple[str, ...] = ()  # scored once the training is over
    weights: tuple[float, ...] = ()  # how often each training corpus is seen in an epoch; none: 1
    source_vectors: str | None = None  # word2vec, fastText or GloVe: what embeddings start from
    target_vectors: str | None = None
    max_length: int = 200  # tokens; longer lines are left out of training, and counted
    too_long: str = SKIP  # or "cut": they are used up to that length
    max_length_ratio: float | None = None  # of the longer side to the shorter, in tokens
    drop_duplicates: bool = False  # leave out pairs that are the same as one before
    subword_sampling: float = 0.0  # 0: none; unigram: varies most near 0; bpe: near 1

    def __post_init__(self) -> None:
        for name in ("train", "valid", "test"):
            files = getattr(self, name)
            if corpora_of(files, len(self.files)) is None:
                raise ConfigError(
                    f"data.{name} must name two files, source and target, not {len(files)}"
                    if len(files) == 1
                    else f"data.{name} must name pairs of files, source and target: one of the "
                    f"{len(files)} is left over",
                    why="this architecture learns from lines and what belongs to each of them",
                    fix=f"Give --{name} SOURCE TARGET; one file alone must end in .tsv",
                )
            _require_utf8_names(name, *files)
        for name in ("source_vectors", "target_vectors"):
            _require_utf8_names(name, getattr(self, name) or "")
        require_positive("data.max_length", self.max_length)
        require_probability("data.subword_sampling", self.subword_sampling)
        require_one_of("data.too_long", self.too_long, (SKIP, CUT))
        if self.max_length_ratio is not None and not 1 <= self.max_length_ratio < math.inf:
            raise ConfigError(
                f"data.max_length_ratio must be a number from 1, not {self.max_length_ratio}",
                why="it is how many times as many tokens as the other a side may have",
                fix="Give 1 or more; where any ratio is good, leave it out",
            )
        self._check_weights()

    def _check_weights(self) -> None:
        for weight in self.weights:
            require_positive("data.weights", weight)
        corpora = corpora_of(self.train, len(self.files)) or []
        if self.weights and self.train and len(self.weights) != len(corpora):
            raise ConfigError(
                f"the numbers in data.weights are {len(self.weights)}, but the corpora in "
                f"data.train are {len(corpora)}",
                why="each number says how often a corpus is seen in an epoch",
                fix="Give one number for each corpus, or none",
            )


def _require_utf8_names(key: str, *files: str) -> None:
    if SURROGATE.search("".join(files)):
        raise ConfigError(
            f"data.{key} has a file whose name is not UTF-8: {', '.join(map(repr, files))}",
            why="the names are stored with the model, as UTF-8",
            fix="Rename the file, or give a link to it",
        )


class TextDataConfig(DataConfig):
    """The same where there is text alone, in one file."""

    files: ClassVar[tuple[str, ...]] = ("text",)
