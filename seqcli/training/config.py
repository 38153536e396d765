"""The settings of a training."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from seqcli.config import (
    Config,
    require_fraction,
    require_one_of,
    require_positive,
    require_probability,
)
from seqcli.errors import ConfigError
from seqcli.training.optimizer import OPTIMIZERS, SGD
from seqcli.training.precision import PRECISIONS
from seqcli.training.schedule import PLATEAU, SCHEDULES
from seqcli.training.stopping import AVERAGES


class TrainingConfig(Config):
    """How a model is trained: the section `training` of a recipe."""

    epochs: int = 30
    batch_tokens: int = 2000  # target tokens a batch with padding; at most twice as many are read
    batch_sentences: int = 0  # rows a batch, in place of batch_tokens; 0: as many as tokens allow
    accumulate: int = 1  # batches whose gradients make up one update
    optimizer: str = "adamw"
    momentum: float = 0.9  # of sgd
    learning_rate: float = 2e-3  # at the peak
    schedule: str = "cosine"
    plateau_factor: float = 0.5  # schedule "plateau": what the rate is multiplied by
    plateau_patience: int = 2  # validations without a new best before that
    warmup_steps: int = 400  # at most an eighth of all steps
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # the gradient's norm is cut to this
    label_smoothing: float = 0.1
    consistency: float = 0.0  # alpha of R-Drop, which takes two passes; 0: one pass
    ema_decay: float = 0.998  # of the averaged weights that are validated and kept; 0 for none
    average: str = "best"  # which checkpoints: those of the best scores, or the last ones
    average_best: int = 5  # so many of them are averaged at the end, if that scores better
    patience: int = 10  # validations after warm-up without a new best before a stop; 0: no stop
    save_minutes: float = 5.0  # between states saved inside an epoch
    max_minutes: float = 0.0  # the training ends within that time, to be gone on with; 0: no limit
    precision: str = "auto"
    deterministic: bool = False  # on CUDA the same numbers each time, at a price in speed
    half_precision_weights: bool = False  # ship the model in float16: half the size

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batch_tokens",
            "accumulate",
            "learning_rate",
            "clip_norm",
            "average_best",
            "plateau_factor",
            "plateau_patience",
        ):
            require_positive(f"training.{name}", getattr(self, name))
        require_positive("training.save_minutes", self.save_minutes)
        require_fraction("training.label_smoothing", self.label_smoothing)
        require_probability("training.ema_decay", self.ema_decay)
        require_one_of("training.optimizer", self.optimizer, OPTIMIZERS)
        require_one_of("training.schedule", self.schedule, SCHEDULES)
        require_one_of("training.average", self.average, AVERAGES)
        require_one_of("training.precision", self.precision, PRECISIONS)
        for name in (
            "batch_sentences",
            "warmup_steps",
            "weight_decay",
            "patience",
            "max_minutes",
            "consistency",
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"training.{name} must be a number that is not negative")
        for name in ("momentum", "plateau_factor"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"training.{name} must be from 0 to less than 1")
        if self.schedule == PLATEAU and 0 < self.patience <= self.plateau_patience:
            raise ConfigError(
                f"training.patience is {self.patience}, and training.plateau_patience is "
                f"{self.plateau_patience}",
                why="the training would stop before its rate is lowered once",
                fix="Raise training.patience, or set it to 0 for no early stop",
            )
        self._require_heeded("optimizer", SGD, "momentum")
        self._require_heeded("schedule", PLATEAU, "plateau_factor", "plateau_patience")

    def _require_heeded(self, choice: str, needed: str, *names: str) -> None:
        """Refuse settings that only one of the choices heeds, and that is not chosen."""
        if (chosen := getattr(self, choice)) == needed:
            return
        for field in msgspec.structs.fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise ConfigError(
                    f"training.{field.name} has no effect where training.{choice} is {chosen!r}",
                    why=f"it is a setting of {needed!r} alone",
                    fix=f"Leave it out, or set training.{choice} to {needed!r}",
                )


def require_one_batch_size(
    recipe: Mapping[str, Any], assigned: Mapping[str, Any], *, default: int
) -> None:
    """Refuse a batch_tokens that would not be heeded, as there is a batch_sentences beside it.

    Given are the tables of a recipe's file and those of what overrides it: a batch_sentences there
    takes the place of the file's batch_tokens. One of the `default` says nothing: it is in each
    recipe that is stored with a model. Raises ConfigError.
    """
    in_file, last = (
        section if isinstance(section := tables.get("training"), Mapping) else {}
        for tables in (recipe, assigned)
    )
    tokens = in_file.get("batch_tokens", default)
    tokens_beside = tokens != default and in_file.get("batch_sentences")
    if {**in_file, **last}.get("batch_sentences") and ("batch_tokens" in last or tokens_beside):
        raise ConfigError(
            "training.batch_tokens and training.batch_sentences are both given",
            why="each says how large a batch is, and only one can be heeded",
            fix="Leave one of them out, or set training.batch_sentences to 0",
        )
