"""A recipe: everything that a training is made of, as one typed struct."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from seqcli.architectures.classifier import ClassifierConfig
from seqcli.architectures.config import ModelConfig
from seqcli.architectures.language_model import LanguageModelConfig
from seqcli.architectures.seq2seq import TIES, Seq2SeqConfig
from seqcli.architectures.tagger import TaggerConfig
from seqcli.config import Config, from_dict, override, read_toml, require_one_of
from seqcli.data.config import DataConfig, TextDataConfig
from seqcli.data.corpora import corpora_of, require_sides
from seqcli.decoding.neural_translator import DecodingConfig
from seqcli.errors import ConfigError, UsageError
from seqcli.evaluation import METRICS
from seqcli.smt.recipe import STATISTICAL_RECIPES
from seqcli.text.generation import GenerationConfig
from seqcli.text.lines import is_read_once, name_of, read_lines
from seqcli.tokenizers import DICTIONARIES, TokenizerConfig
from seqcli.training.config import TrainingConfig, require_one_batch_size
from seqcli.training.report import LOSS

LARGEST_SEED = 2**32 - 1


class EvaluationConfig(Config):
    """How checkpoints are compared while training: the section `evaluation` of a recipe."""

    choices: ClassVar[tuple[str, ...]] = (*METRICS, LOSS)

    metric: str = "bleu"

    def __post_init__(self) -> None:
        require_one_of("evaluation.metric", self.metric, self.choices)


class Recipe(Config, kw_only=True):
    """All settings of a training; each architecture has a kind of its own."""

    # Sides of the text that can have pretrained vectors, and which settings of the model say how
    # wide these are: the first that is set.
    vector_sizes: ClassVar[Mapping[str, tuple[str, ...]]] = {"source": ("embedding_size",)}
    compares_lengths: ClassVar[bool] = False  # whether both sides are text, of like lengths

    task: str
    architecture: str
    seed: int = 1
    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()  # of the source, or of all text
    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(f"seed must be from 0 to {LARGEST_SEED}, not {self.seed}")
        for side in ("source", "target"):
            key = f"{side}_vectors"
            if getattr(self.data, key) is not None and side not in self.vector_sizes:
                raise self._has_no_effect(f"data.{key}", f"it has no embeddings of a {side}")
        if self.data.max_length_ratio is not None and not self.compares_lengths:
            raise self._has_no_effect(
                "data.max_length_ratio", "it compares a text with its translation"
            )
        if self.training.consistency and not self.model.drops_anything:
            raise ConfigError(
                "training.consistency has no effect where nothing is dropped",
                why="a batch is read twice, and what is read would be equal both times",
                fix="Raise model.dropout or model.word_dropout, or leave training.consistency out",
            )
        kinds = self.tokenizer_kinds
        if self.data.subword_sampling > 0 and kinds <= DICTIONARIES.keys():
            raise ConfigError(
                f"data.subword_sampling has no effect with {' and '.join(sorted(kinds))}",
                why="there is one way only to cut a text into them",
                fix="Leave it out, or set tokenizer.kind to 'unigram' or 'bpe'",
            )

    def _has_no_effect(self, key: str, why: str) -> ConfigError:
        what = f"{key} has no effect where architecture is {self.architecture!r}"
        return ConfigError(what, why=why, fix="Leave it out")

    @property
    def tokenizer_kinds(self) -> set[str]:
        """The kinds of all tokenizers that are learned."""
        return {self.tokenizer.kind}

    @classmethod
    def sizes_for(cls, num_lines: int) -> dict[str, Any]:
        """Return the settings that suit so much text, where they are not the defaults."""
        return {}


class TranslationRecipe(Recipe):
    """A Seq2Seq model that turns the lines of one file into those of another."""

    vector_sizes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "source": ("source_embedding_size", "embedding_size"),
        "target": ("target_embedding_size", "embedding_size"),
    }
    compares_lengths: ClassVar[bool] = True

    task: Literal["translation"] = "translation"
    architecture: Literal["seq2seq"] = "seq2seq"
    target_tokenizer: TokenizerConfig | None = None  # None: one tokenizer learned from both sides
    model: Seq2SeqConfig = Seq2SeqConfig()
    decoding: DecodingConfig = DecodingConfig()

    def __post_init__(self) -> None:
        super(TranslationRecipe, self).__post_init__()  # noqa: UP008  # msgspec makes the class anew
        if self.target_tokenizer is not None and "source" in TIES[self.model.tie_embeddings]:
            raise ConfigError(
                f"model.tie_embeddings cannot be {self.model.tie_embeddings!r} where "
                "target_tokenizer is set",
                why="source and target have vocabularies of their own, so no common vectors",
                fix="Set model.tie_embeddings to 'target-output', or leave target_tokenizer out",
            )

    @property
    def tokenizer_kinds(self) -> set[str]:
        return {self.tokenizer.kind, (self.target_tokenizer or self.tokenizer).kind}

    @classmethod
    def sizes_for(cls, num_lines: int) -> dict[str, Any]:
        """Small corpora get small, strongly regularised models (Sennrich and Zhang, 2019)."""
        if num_lines < 5_000:
            few = num_lines < 1_000  # few updates an epoch, and a score too noisy to stop by
            return {
                "model": {
                    "embedding_size": 128,
                    "encoder": {"size": 128},
                    "decoder": {"size": 256},
                    "dropout": 0.4,
                },
                "training": {
                    "batch_tokens": 1000,
                    "epochs": 200 if few else 60,
                    "warmup_steps": 200,
                    "patience": 0 if few else 10,
                },
            }
        if num_lines < 200_000:
            return {}
        return {
            "model": {
                "embedding_size": 384,
                "encoder": {"size": 384},
                "decoder": {"size": 768},
                "dropout": 0.2,
            },
            "training": {"batch_tokens": 4000, "epochs": 10, "warmup_steps": 2000, "patience": 3},
        }


class LabelTrainingConfig(TrainingConfig):
    """The same where labels are learned: smaller batches, fewer epochs."""

    epochs: int = 15
    batch_tokens: int = 500


class ClassificationEvaluationConfig(EvaluationConfig):
    """The same for whole lines that are right or wrong."""

    choices: ClassVar[tuple[str, ...]] = ("accuracy", "macro-f1", LOSS)

    metric: str = "accuracy"


class TaggingEvaluationConfig(EvaluationConfig):
    """The same for tags."""

    choices: ClassVar[tuple[str, ...]] = ("token-accuracy", "span-f1", "accuracy", LOSS)

    metric: str = "token-accuracy"


class LabellingRecipe(Recipe):
    """What classifiers and taggers share."""

    training: LabelTrainingConfig = LabelTrainingConfig()

    @classmethod
    def sizes_for(cls, num_lines: int) -> dict[str, Any]:
        """Little text gets a small model, strongly regularised, that reads it often."""
        if num_lines >= 50_000:
            return {}
        model = {"encoder": {"size": 128, "layers": 1}, "dropout": 0.5}
        if num_lines >= 5_000:
            return {"model": model}
        few = num_lines < 1_000  # few updates an epoch, and a score too noisy to stop by
        training = {"epochs": 60 if few else 30, "warmup_steps": 100, "patience": 0 if few else 10}
        return {"model": model, "training": training}


class ClassificationRecipe(LabellingRecipe):
    """A classifier: source files have texts, target files a label on each line."""

    task: Literal["classification"] = "classification"
    architecture: Literal["classifier"] = "classifier"
    model: ClassifierConfig = ClassifierConfig()
    evaluation: ClassificationEvaluationConfig = ClassificationEvaluationConfig()


class TaggingRecipe(LabellingRecipe):
    """A tagger: source files have words with spaces between them, target files as many tags."""

    task: Literal["tagging"] = "tagging"
    architecture: Literal["tagger"] = "tagger"
    model: TaggerConfig = TaggerConfig()
    evaluation: TaggingEvaluationConfig = TaggingEvaluationConfig()


class LanguageModelTrainingConfig(TrainingConfig):
    """The same where probabilities are what counts: smoothed labels would make them less true."""

    learning_rate: float = 4e-3
    label_smoothing: float = 0.0


class LanguageModelEvaluationConfig(EvaluationConfig):
    """The same for text that no other text stands beside."""

    metric: str = LOSS

    def __post_init__(self) -> None:
        if self.metric != LOSS:
            raise ConfigError(
                f"evaluation.metric cannot be {self.metric!r} for a language model",
                why="there is no reference to compare with: only how well text is predicted counts",
                fix=f"Leave it out: it is {LOSS!r}",
            )


class LanguageModelRecipe(Recipe):
    """A language model, of text alone."""

    task: Literal["language-modeling"] = "language-modeling"
    architecture: Literal["language-model"] = "language-model"
    data: TextDataConfig = TextDataConfig()
    model: LanguageModelConfig = LanguageModelConfig()
    training: LanguageModelTrainingConfig = LanguageModelTrainingConfig()
    evaluation: LanguageModelEvaluationConfig = LanguageModelEvaluationConfig()
    decoding: GenerationConfig = GenerationConfig()

    @classmethod
    def sizes_for(cls, num_lines: int) -> dict[str, Any]:
        """Little text gets a small model, much text a large one that is less regularised."""
        if num_lines < 5_000:
            few = num_lines < 1_000  # few updates an epoch
            return {
                "model": {"embedding_size": 128, "decoder": {"size": 256}, "dropout": 0.4},
                "training": {
                    "batch_tokens": 1000,
                    "epochs": 100 if few else 30,
                    "warmup_steps": 200,
                },
            }
        if num_lines < 200_000:
            return {}
        return {
            "model": {"embedding_size": 384, "decoder": {"size": 1024}, "dropout": 0.2},
            "training": {"batch_tokens": 4000, "epochs": 10, "warmup_steps": 2000, "patience": 3},
        }


RECIPES: dict[str, type[Recipe]] = {  # by architecture
    "seq2seq": TranslationRecipe,
    "classifier": ClassificationRecipe,
    "tagger": TaggingRecipe,
    "language-model": LanguageModelRecipe,
}
DEFAULT_ARCHITECTURE = "seq2seq"
AMOUNTS = (1, 1_000, 5_000, 50_000, 200_000)  # lines of text from which on sizes may be others


def recipe_from(values: Mapping[str, Any], *, origin: str) -> Recipe:
    """Build a recipe from plain tables, by the architecture that they name. Raises ConfigError."""
    return from_dict(values, recipe_kind(values), origin=origin)


def recipe_kind(values: Mapping[str, Any]) -> type[Recipe]:
    """Return the kind of recipe that these tables are. ConfigError for an unknown architecture."""
    architecture = str(values.get("architecture", DEFAULT_ARCHITECTURE))
    require_one_of("architecture", architecture, (*RECIPES, *STATISTICAL_RECIPES))
    if architecture in STATISTICAL_RECIPES:
        raise ConfigError(
            f"architecture {architecture!r} has no network to train",
            fix="Train it by `seqcli train`, or in Python by seqcli.train_statistical",
        )
    return RECIPES[architecture]


def resolve_recipe(
    recipe_path: Path | None,
    *,
    files: Mapping[str, tuple[str, ...]],
    text_alone: Collection[str] = (),
    assignments: Sequence[str] = (),
    seed: int | None = None,
    architecture: str | None = None,
) -> Recipe:
    """Build the recipe of a training: file or sizes from the data, then files, seed, assignments.

    `files` maps "train", "valid" and "test" to files as the section `data` has them: a source and a
    target file, tables of both, or a file of text where the architecture reads text alone; those
    named in `text_alone` are for certain of text, be they several. Without a recipe file the sizes
    are chosen from the number of training lines. Where each side has a tokenizer of its own,
    embeddings are tied on the target side alone, unless the recipe says otherwise.
    Raises ConfigError, UsageError and DataError.
    """
    values = {} if recipe_path is None else read_toml(recipe_path)
    if architecture is not None:
        values = {**values, "architecture": architecture}
    kind = recipe_kind(override(values, _of_architecture(assignments), Recipe))
    defaults = from_dict({}, kind, origin="the defaults")
    tokens = defaults.training.batch_tokens
    require_one_batch_size(values, override({}, assignments, kind), default=tokens)
    if seed is not None:
        values = {**values, "seed": seed}

    def build(sizes: Mapping[str, Any]) -> Recipe:
        settings = _with_section({**values, **sizes}, "data", settings=files)
        settings = override(settings, assignments, kind)
        if settings.get("target_tokenizer") is not None:
            tied = {"tie_embeddings": "target-output"}
            settings = _with_section(settings, "model", defaults=tied)
        training = settings.get("training")
        if isinstance(training, Mapping) and training.get("batch_sentences"):
            one_size = {"batch_tokens": tokens}  # so that no other is stored with the model
            settings = _with_section(settings, "training", settings=one_size)
        return recipe_from(settings, origin=str(recipe_path or "the command line"))

    num_sides = len(defaults.data.files)
    require_sides(files, num_sides, text_alone=text_alone)
    sizes = {}
    if recipe_path is None and "train" in files:
        _require_possible(build, kind)
        corpora = corpora_of(files["train"], num_sides) or []
        sizes = kind.sizes_for(sum(_count_lines(corpus.files[0]) for corpus in corpora))
    recipe = build(sizes)
    if not recipe.data.train:
        raise UsageError(
            "there is nothing to train on",
            why="neither the recipe nor the command names training files",
            fix="Give --train SOURCE TARGET (--train-text FILE for a language model), or set "
            "data.train in the recipe",
        )
    return recipe


def _require_possible(build: Callable[[Mapping[str, Any]], Recipe], kind: type[Recipe]) -> None:
    """Refuse, before text is read, what is refused with the sizes for any amount of text."""
    faults = []
    for num_lines in AMOUNTS:
        try:
            build(kind.sizes_for(num_lines))
        except ConfigError as fault:
            faults.append(fault)
    if len(faults) == len(AMOUNTS):
        raise faults[0]


def _of_architecture(assignments: Sequence[str]) -> list[str]:
    """Those that choose the kind of recipe, by which all others are read."""
    return [each for each in assignments if each.partition("=")[0].strip() == "architecture"]


def _count_lines(path: str) -> int:
    """Count the lines of a file that will be read again. UsageError if it can be read only once."""
    if is_read_once(path):
        raise UsageError(
            f"the size of {name_of(path)} cannot be told before it is read",
            why="without a recipe sizes are chosen by the amount of text, which is read once more",
            fix="Give a file (one packed by gzip will do), or name a recipe",
        )
    return sum(1 for _ in read_lines(path))


def _with_section(
    values: Mapping[str, Any],
    name: str,
    *,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Put settings into a section. What is no section is left as it is: `from_dict` refuses it."""
    section = values.get(name, {})
    if not isinstance(section, Mapping):
        return dict(values)
    return {**values, name: {**defaults, **section, **settings}}
