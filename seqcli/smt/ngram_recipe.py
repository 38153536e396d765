"""All settings of an n-gram language model."""

from typing import Literal

import msgspec

from seqcli.config import Config, require_positive
from seqcli.errors import ConfigError
from seqcli.text.generation import GenerationConfig
from seqcli.tokenizers import DICTIONARIES, TokenizerConfig

ORDER = 5
HIGHEST_ORDER = 8  # of letters and sounds; that of words pays up to 5
TOKENIZER = TokenizerConfig(kind="words", min_frequency=2)


class NgramDataConfig(Config):
    """The files of text, a sentence a line: the section `data` of a recipe."""

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()  # none is held out where none is given: there is nothing to choose
    test: tuple[str, ...] = ()


class NgramRecipe(Config):
    """A language model that counts which words follow which."""

    task: Literal["language-modeling"] = "language-modeling"
    architecture: Literal["ngram"] = "ngram"
    seed: int | None = None  # refused, as nothing is random
    data: NgramDataConfig = NgramDataConfig()
    tokenizer: TokenizerConfig | None = None  # None: words seen twice, or as in the ARPA file
    order: int | None = None  # the longest n-gram; None: 5, or that of the ARPA file
    pruning: tuple[int, ...] = ()  # drop n-grams of order 2, 3, ... seen no more often; last: rest
    arpa: str | None = None  # take the model from this ARPA file instead of learning one
    write_arpa: bool = False  # write one beside the model, to be read by other programs
    decoding: GenerationConfig = GenerationConfig()

    def __post_init__(self) -> None:
        longest = ORDER if self.order is None else self.order
        if self.arpa is None and not 1 <= longest <= HIGHEST_ORDER:
            raise ConfigError(f"order must be from 1 to {HIGHEST_ORDER}, not {longest}")
        for count in self.pruning:
            require_positive("pruning", count + 1)
        if list(self.pruning) != sorted(self.pruning):
            raise ConfigError(
                f"pruning must not fall: {', '.join(map(str, self.pruning))}",
                why="an n-gram cannot be kept without the shorter ones in it",
                fix="Give counts such as 0,0,1,1",
            )
        if self.arpa is None and len(self.pruning) >= longest:
            raise ConfigError(
                f"pruning goes up to order {len(self.pruning) + 1}, but order is {longest}",
                why="its first count is for n-grams of order 2, the next for those of 3",
                fix="Leave the last counts out, or raise order",
            )
        if self.seed is not None:
            raise ConfigError(
                "seed has no effect where architecture is 'ngram'",
                why="nothing is random: n-grams are counted",
                fix="Leave it out",
            )
        if self.decoding.batch_sentences != GenerationConfig().batch_sentences:
            raise ConfigError(
                "decoding.batch_sentences has no effect where architecture is 'ngram'",
                why="its lines are written one by one",
                fix="Leave it out",
            )
        if self.arpa is not None:
            _check_import(self)


def _check_import(recipe: NgramRecipe) -> None:
    """Refuse what has no effect on a model that is taken from an ARPA file."""
    if recipe.data.train:
        raise ConfigError(
            "arpa and data.train do not go together",
            why="a model is taken from the one or learned from the other",
            fix="Leave one of them out",
        )
    if recipe.pruning:
        raise ConfigError(
            "pruning has no effect on a model that arpa names",
            why="it chooses what is learned, and nothing is",
            fix="Leave one of them out",
        )
    if recipe.tokenizer is None:
        return
    if recipe.tokenizer.kind not in DICTIONARIES:
        raise ConfigError(
            f"tokenizer.kind {recipe.tokenizer.kind!r} cannot be had from an ARPA file",
            why="it has the pieces, but not how text is cut into them",
            fix=f"Choose one of {', '.join(DICTIONARIES)}",
        )
    for field in msgspec.structs.fields(TokenizerConfig):
        if field.name != "kind" and getattr(recipe.tokenizer, field.name) != field.default:
            raise ConfigError(
                f"tokenizer.{field.name} has no effect on a model that arpa names",
                why="its words are those of the file",
                fix="Leave it out",
            )
