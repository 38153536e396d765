"""A recipe: everything that a training is made of, as one typed struct."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seqcli.architectures.seq2seq import TIES, Seq2SeqConfig
from seqcli.config import (
    Config,
    from_dict,
    override,
    read_toml,
    require_one_of,
    require_positive,
    require_probability,
)
from seqcli.decoding.neural_translator import DecodingConfig
from seqcli.errors import ConfigError, UsageError
from seqcli.evaluation import METRICS
from seqcli.text.lines import STDIN, name_of, read_lines
from seqcli.tokenizers import DICTIONARIES, TokenizerConfig
from seqcli.training.config import TrainingConfig

TASKS = ("translation",)
ARCHITECTURES = ("seq2seq",)
LARGEST_SEED = 2**32 - 1
SURROGATE = re.compile("[\ud800-\udfff]")  # a byte of a name that is not UTF-8, as Python has it
LOSS = "loss"  # the one selection metric that needs no translation


class DataConfig(Config):
    """Where the text is: the section `data` of a recipe. Each pair is source and target file."""

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()  # none: some pairs are taken out of the training text
    test: tuple[str, ...] = ()  # translated and scored once the training is over
    source_vectors: str | None = None  # word2vec, fastText or GloVe: what embeddings start from
    target_vectors: str | None = None
    max_length: int = 200  # tokens; longer pairs are left out of training, and counted
    subword_sampling: float = 0.0  # 0: none; unigram: varies most near 0; bpe: near 1

    def __post_init__(self) -> None:
        for name in ("train", "valid", "test"):
            files = getattr(self, name)
            if len(files) not in (0, 2):
                raise ConfigError(
                    f"data.{name} must name two files, source and target, not {len(files)}"
                )
            _require_utf8_names(name, *files)
        for name in ("source_vectors", "target_vectors"):
            _require_utf8_names(name, getattr(self, name) or "")
        require_positive("data.max_length", self.max_length)
        require_probability("data.subword_sampling", self.subword_sampling)


def _require_utf8_names(key: str, *files: str) -> None:
    if SURROGATE.search("".join(files)):
        raise ConfigError(
            f"data.{key} has a file whose name is not UTF-8: {files}",
            why="the names are stored with the model, as UTF-8",
            fix="Rename the file, or give a link to it",
        )


class EvaluationConfig(Config):
    """How checkpoints are compared while training: the section `evaluation` of a recipe."""

    metric: str = "bleu"

    def __post_init__(self) -> None:
        require_one_of("evaluation.metric", self.metric, (*METRICS, LOSS))


class Recipe(Config):
    """All settings of a training."""

    task: str = "translation"
    architecture: str = "seq2seq"
    seed: int = 1
    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()  # of the source, or of both sides
    target_tokenizer: TokenizerConfig | None = None  # None: one tokenizer learned from both sides
    model: Seq2SeqConfig = Seq2SeqConfig()
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        require_one_of("task", self.task, TASKS)
        require_one_of("architecture", self.architecture, ARCHITECTURES)
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(f"seed must be from 0 to {LARGEST_SEED}, not {self.seed}")
        if self.target_tokenizer is not None and "source" in TIES[self.model.tie_embeddings]:
            raise ConfigError(
                f"model.tie_embeddings cannot be {self.model.tie_embeddings!r} where "
                "target_tokenizer is set",
                why="source and target have vocabularies of their own, so no common vectors",
                fix="Set model.tie_embeddings to 'target-output', or leave target_tokenizer out",
            )
        kinds = {(self.target_tokenizer or self.tokenizer).kind, self.tokenizer.kind}
        if self.data.subword_sampling > 0 and kinds <= DICTIONARIES.keys():
            raise ConfigError(
                f"data.subword_sampling has no effect with {' and '.join(sorted(kinds))}",
                why="there is one way only to cut a text into them",
                fix="Leave it out, or set tokenizer.kind to 'unigram' or 'bpe'",
            )


def sizes_for(num_pairs: int) -> dict[str, Any]:
    """Return the settings that suit a corpus of `num_pairs` pairs, where they are not the defaults.

    Small corpora get small, strongly regularised models, as Sennrich and Zhang (2019) found best.
    """
    if num_pairs < 5_000:
        few = num_pairs < 1_000  # few updates an epoch, and a score too noisy to stop by
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
    if num_pairs < 200_000:
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


def resolve_recipe(
    recipe_path: Path | None,
    *,
    files: Mapping[str, tuple[str, str]],
    assignments: Sequence[str] = (),
    seed: int | None = None,
) -> Recipe:
    """Build the recipe of a training: file or sizes from the data, then files, seed, assignments.

    `files` maps "train", "valid" and "test" to a source and a target file. Without a recipe file
    the sizes are chosen from the number of training pairs. Where each side has a tokenizer of its
    own, embeddings are tied on the target side alone, unless the recipe says otherwise.
    Raises ConfigError, UsageError and DataError.
    """
    if recipe_path is not None:
        values = read_toml(recipe_path)
    elif "train" in files:
        values = sizes_for(_count_lines(files["train"][0]))
    else:
        values = {}
    if seed is not None:
        values = {**values, "seed": seed}
    values = _with_section(values, "data", settings=files)
    values = override(values, assignments, Recipe)
    if values.get("target_tokenizer") is not None:
        values = _with_section(values, "model", defaults={"tie_embeddings": "target-output"})
    recipe = from_dict(values, Recipe, origin=str(recipe_path or "the command line"))
    if not recipe.data.train:
        raise UsageError(
            "there is nothing to train on",
            why="neither the recipe nor the command names training files",
            fix="Give --train SOURCE TARGET, or set data.train in the recipe",
        )
    return recipe


def _count_lines(path: str) -> int:
    """Count the lines of a file that will be read again. UsageError if it can be read only once."""
    file = Path(path)
    if path == STDIN or (file.exists() and not file.is_file() and not file.is_dir()):
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
