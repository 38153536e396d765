"""Whether this machine can hold the training of a model, found out before memory is asked for."""

import os
from collections.abc import Callable

import msgspec
import torch
from torch import nn

from seqcli.architectures.config import ModelConfig
from seqcli.architectures.recurrent import StackConfig
from seqcli.errors import ConfigError
from seqcli.training.config import TrainingConfig
from seqcli.training.optimizer import numbers_kept

BYTES_A_NUMBER = 4  # float32


def require_capacity(
    build: Callable[[], nn.Module],
    config: ModelConfig,
    device: torch.device,
    training: TrainingConfig,
) -> None:
    """Refuse a model that `build` would make by `config` if it alone is too large for the device.

    What batches take comes on top, so what passes may still be too large. Raises ConfigError.
    """
    capacity = memory_of(device)
    try:
        with torch.device("meta"):  # tensors have shapes there, but no memory
            count = sum(parameter.numel() for parameter in build().parameters())
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        too_many = "more parameters than can be counted"
        raise _too_large(
            too_many, config, "one matrix alone has more than 64 bits count"
        ) from error
    kept = numbers_kept(training.optimizer, momentum=training.momentum)
    size = (3 + kept) * BYTES_A_NUMBER  # weight, gradient and average
    if capacity is not None and count * size > capacity:
        raise _too_large(
            f"{count:,} parameters, which need {_gigabytes(count * size)} to be trained, and this "
            f"machine has {_gigabytes(capacity)}",
            config,
            f"each takes {size} bytes: itself, its gradient, its average and {kept} numbers of "
            f"{training.optimizer}",
        )


def memory_of(device: torch.device) -> int | None:
    """Return how many bytes there are in all, or None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _too_large(what: str, config: ModelConfig, why: str) -> ConfigError:
    sections = [
        value.section
        for value in msgspec.structs.asdict(config).values()
        if isinstance(value, StackConfig)
    ]
    keys = ["model.embedding_size", *(f"{section}.size" for section in sections)]
    return ConfigError(
        f"the model would have {what}",
        why=why,
        fix=f"Lower {', '.join(keys)} or tokenizer.vocabulary_size",
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
