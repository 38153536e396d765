"""All settings of the statistical systems and of those that look words up."""

from typing import Literal

import msgspec

from seqcli.config import Config, require_one_of, require_positive
from seqcli.errors import ConfigError
from seqcli.smt.alignment import ALIGNERS, MODEL, SYMMETRIZATION
from seqcli.smt.ngram_recipe import HIGHEST_ORDER, NgramRecipe
from seqcli.smt.options import LONGEST_PHRASE
from seqcli.smt.phrase_translator import PhraseDecodingConfig
from seqcli.smt.symmetrization import Symmetrization
from seqcli.smt.tuning import TuningConfig
from seqcli.tokenizers import TokenizerConfig
from seqcli.tokenizers.base import KINDS

Compounds = Literal["auto", "on", "off"]
MOSES = "moses"  # the kind of tokenizer that is none of the others
USUAL_CLASSES, MOST_CLASSES = 250, 1000  # of words


class PairsConfig(Config):
    """Where the text is and what of it is used: the section `data` of a recipe.

    A text is a source and a target file, or several such pairs one after another; in place of a
    pair there can be a file in .tsv (or .tsv.gz), each line of which is SOURCE TAB TARGET.
    """

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()  # what weights are tuned on; none: weights that suit most texts
    test: tuple[str, ...] = ()  # scored once the training is over
    max_length: int = 100  # words; pairs with a longer side are left out of training, and counted
    max_length_ratio: float = 9.0  # of the longer side to the shorter, in words

    def __post_init__(self) -> None:
        require_positive("data.max_length", self.max_length)
        if not self.max_length_ratio >= 1:
            raise ConfigError(
                f"data.max_length_ratio must be a number from 1, not {self.max_length_ratio}",
                why="it is how many times as many words as the other a side may have",
            )


class WordsConfig(TokenizerConfig):
    """How lines become words: by the rules of Moses, or pieces of a tokenizer that is learned."""

    kind: str = MOSES

    def __post_init__(self) -> None:
        require_one_of("tokenizer.kind", self.kind, (MOSES, *KINDS))
        if self.kind != MOSES:
            super(WordsConfig, self).__post_init__()  # noqa: UP008  # msgspec makes the class anew
            if not self.byte_fallback:
                raise ConfigError(
                    "tokenizer.byte_fallback cannot be false here",
                    why="what is unknown is copied, and a piece without its text cannot be",
                    fix="Leave it out",
                )
        elif any(
            getattr(self, field.name) != field.default
            for field in msgspec.structs.fields(WordsConfig)
        ):
            raise ConfigError(
                f"a tokenizer of the kind {MOSES!r} has no other settings",
                why="it follows rules, and nothing is learned but the casing of words",
                fix="Leave them out, or set tokenizer.kind to one that is learned",
            )


class AlignmentConfig(Config):
    """How words are linked to their translations."""

    model: str = MODEL
    symmetrization: Symmetrization = SYMMETRIZATION
    letters: int = 5  # of words of Moses: those that share so many first letters are aligned alike

    def __post_init__(self) -> None:
        require_one_of("alignment.model", self.model, ALIGNERS)
        require_positive("alignment.letters", self.letters)


class PhrasesConfig(Config):
    """Which phrases are kept."""

    longest: int = LONGEST_PHRASE  # words of a side
    most_targets: int = 50  # translations of a phrase, the most probable

    def __post_init__(self) -> None:
        require_positive("phrases.most_targets", self.most_targets)
        if not 1 <= self.longest <= LONGEST_PHRASE:
            raise ConfigError(
                f"phrases.longest must be from 1 to {LONGEST_PHRASE}, not {self.longest}"
            )


class LanguageModelConfig(Config):
    """The model of the target language."""

    order: int = 5  # the longest n-gram
    text: tuple[str, ...] = ()  # files of text in the target language, beside that of the pairs
    classes: int | None = None  # of words, for a second model; 0: none; None: 250 of Moses' words
    class_order: int = 6  # the longest n-gram of classes

    def __post_init__(self) -> None:
        for name in ("order", "class_order"):
            if not 1 <= getattr(self, name) <= HIGHEST_ORDER:
                raise ConfigError(
                    f"language_model.{name} must be from 1 to {HIGHEST_ORDER}, "
                    f"not {getattr(self, name)}"
                )
        if self.classes is not None and not 0 <= self.classes <= MOST_CLASSES:
            raise ConfigError(
                f"language_model.classes must be from 0 to {MOST_CLASSES}, not {self.classes}",
                why="each word is tried in each class, time after time",
            )


class SmtRecipe(Config):
    """A phrase-based system (Koehn et al., 2003)."""

    task: Literal["translation"] = "translation"
    architecture: Literal["smt"] = "smt"
    seed: int = 1
    data: PairsConfig = PairsConfig()
    source_language: str | None = None  # such as "de"; None: as the first file's name ends, or "en"
    target_language: str | None = None
    tokenizer: WordsConfig = WordsConfig()
    target_tokenizer: WordsConfig | None = None  # None: of the same kind as that of the source
    compounds: Compounds = "auto"  # whether those of the source are split; auto: if that pays
    target_compounds: Compounds = "auto"  # the same of the target, where they are joined again
    alignment: AlignmentConfig = AlignmentConfig()
    joint_units: bool = False  # target words keep the source words they come from: spelling, sound
    phrases: PhrasesConfig = PhrasesConfig()
    language_model: LanguageModelConfig = LanguageModelConfig()
    tuning: TuningConfig = TuningConfig()
    decoding: PhraseDecodingConfig = PhraseDecodingConfig()

    @property
    def num_classes(self) -> int:
        """How many classes of target words there are; 0 if no model of classes is wanted."""
        if self.language_model.classes is not None:
            return self.language_model.classes
        is_of_words = (self.target_tokenizer or self.tokenizer).kind == MOSES
        return USUAL_CLASSES if is_of_words and not self.joint_units else 0

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.joint_units and self.language_model.text:
            raise ConfigError(
                "joint_units and language_model.text do not go together",
                why="the language model is one of words with their origin, which this text lacks",
                fix="Leave one of them out",
            )
        for key, wish, tokenizer in (
            ("compounds", self.compounds, self.tokenizer),
            ("target_compounds", self.target_compounds, self.target_tokenizer or self.tokenizer),
        ):
            if wish == "on" and tokenizer.kind != MOSES:
                raise ConfigError(
                    f"{key} cannot be 'on' where the tokenizer is of the kind {tokenizer.kind!r}",
                    why="compounds are words, and this tokenizer has pieces of its own",
                    fix=f"Leave it out, or choose the tokenizer {MOSES!r}",
                )


class DictionaryRecipe(Config):
    """A translator that looks words up, in printed dictionaries or in what pairs teach."""

    task: Literal["translation"] = "translation"
    architecture: Literal["dictionary"] = "dictionary"
    seed: int = 1  # of the alignment
    data: PairsConfig = PairsConfig()
    source_language: str | None = None  # such as "de"; None: as the first file's name ends, or "en"
    target_language: str | None = None
    dictionary: tuple[str, ...] = ()  # files; none: words and translations are learned from pairs
    reversed: bool = False  # whether the files have the target language first
    text: tuple[str, ...] = ()  # files of target text to choose by, beside that of the pairs
    choice: Literal["auto", "first", "bigram"] = "auto"  # auto: by bigrams where there is text
    alignment: AlignmentConfig = AlignmentConfig()

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.dictionary and self.data.train:
            raise ConfigError(
                "dictionary and data.train do not go together",
                why="entries are taken from files or learned from pairs",
                fix="Leave one of them out; target text alone goes into text",
            )
        if self.data.valid:
            raise ConfigError(
                "data.valid has no effect where architecture is 'dictionary'",
                why="there is nothing to tune or to choose by it",
                fix="Leave it out, or name it data.test to see scores",
            )
        if self.reversed and not self.dictionary:
            raise ConfigError("reversed has no effect without dictionary", fix="Leave it out")
        if self.choice == "first" and self.text:
            raise ConfigError(
                "text has no effect where choice is 'first'", fix="Leave one of them out"
            )


def require_seed(seed: int) -> None:
    """Refuse a seed that random numbers cannot start from."""
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be from 0 to {2**32 - 1}, not {seed}")


StatisticalRecipe = SmtRecipe | DictionaryRecipe | NgramRecipe
STATISTICAL_RECIPES: dict[str, type[StatisticalRecipe]] = {  # by architecture
    "smt": SmtRecipe,
    "dictionary": DictionaryRecipe,
    "ngram": NgramRecipe,
}
