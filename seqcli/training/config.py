"""The settings of a training."""

import math

from seqcli.config import (
    Config,
    require_fraction,
    require_one_of,
    require_positive,
    require_probability,
)
from seqcli.errors import ConfigError
from seqcli.training.precision import PRECISIONS
from seqcli.training.schedule import SCHEDULES


class TrainingConfig(Config):
    """How a model is trained: the section `training` of a recipe."""

    epochs: int = 30
    batch_tokens: int = 2000  # target tokens a batch with padding; at most twice as many are read
    learning_rate: float = 2e-3  # at the peak
    schedule: str = "cosine"
    warmup_steps: int = 400  # at most an eighth of all steps
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # the gradient's norm is cut to this
    label_smoothing: float = 0.1
    ema_decay: float = 0.998  # of the averaged weights that are validated and kept; 0 for none
    average_best: int = 5  # checkpoints averaged at the end, if that scores better
    patience: int = 10  # validations after warm-up without a new best before a stop; 0: no stop
    save_minutes: float = 5.0  # between states saved inside an epoch
    precision: str = "auto"
    half_precision_weights: bool = False  # ship the model in float16: half the size

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_tokens", "learning_rate", "clip_norm", "average_best"):
            require_positive(f"training.{name}", getattr(self, name))
        require_positive("training.save_minutes", self.save_minutes)
        require_fraction("training.label_smoothing", self.label_smoothing)
        require_probability("training.ema_decay", self.ema_decay)
        require_one_of("training.schedule", self.schedule, SCHEDULES)
        require_one_of("training.precision", self.precision, PRECISIONS)
        for name in ("warmup_steps", "weight_decay", "patience"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"training.{name} must be a number that is not negative")
