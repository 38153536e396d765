"""A training's state on disk, written whole or not at all, loaded without pickle."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seqcli.errors import ModelError, OutputError

STATE_FILE = "state.pt"


class CheckpointFolder:
    """The folder `training/` of a model: one state to go on from, and the best weights so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the state to go on from, in place of the one before."""
        self._write(self.folder / STATE_FILE, lambda temporary: torch.save(state, temporary))

    def load_state(self) -> dict[str, Any] | None:
        """Return the last state, or None if none was written.

        Raises ModelError if the file is not a state.
        """
        path = self.folder / STATE_FILE
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except Exception as error:  # torch raises many kinds for a broken file
            raise ModelError(
                f"{path} is not a whole training state: {error}",
                why="the training can go on only from a state that is complete",
                fix="Start again with --overwrite",
            ) from error
        return state

    def save_weights(self, step: int, weights: dict[str, Tensor]) -> None:
        """Keep the weights after `step` updates."""
        self._write(self._weights(step), lambda temporary: save_file(weights, temporary))

    def remove_weights(self, steps: Iterable[int]) -> None:
        for step in steps:
            self._weights(step).unlink(missing_ok=True)

    def average_weights(self, steps: Iterable[int]) -> dict[str, Tensor]:
        """Return the mean of the kept weights of `steps`, tensor by tensor."""
        paths = [self._weights(step) for step in steps]
        try:
            mean = load_file(paths[0])
            for count, path in enumerate(paths[1:], start=2):
                for name, tensor in load_file(path).items():
                    mean[name].lerp_(tensor, 1 / count)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"kept weights cannot be read: {error}",
                why="the best checkpoints are averaged at the end",
                fix="Start again with --overwrite",
            ) from error
        return mean

    def _weights(self, step: int) -> Path:
        return self.folder / f"weights-{step:08d}.safetensors"

    def _write(self, path: Path, write: Any) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise OutputError(
                f"cannot write {path}: {error}",
                why="the training's state was not saved; the one before it is untouched",
                fix="Free disk space or rights, then go on with --resume",
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
