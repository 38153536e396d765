"""A training's state on disk, written whole or not at all, loaded without pickle."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from seqcli.errors import ModelError
from seqcli.text.lines import write_atomically

STATE_FILE = "state.pt"


class CheckpointFolder:
    """The folder `training/` of a model: one state to go on from, and the best weights so far.

    What is written takes the place of what was there, or leaves it as it was with an OutputError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write the state to go on from, in place of the one before."""
        with write_atomically(self.folder / STATE_FILE) as stream:
            try:
                torch.save(state, stream.buffer)
            except RuntimeError as error:  # torch's own, with the disk's inside
                raise error.__context__ or error from None

    def load_state(self) -> dict[str, Any] | None:
        """Return the last state, or None if none was written.

        Raises ModelError if the file is not a state.
        """
        path = self.folder / STATE_FILE
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a broken file
            raise ModelError(
                f"{path} is not a whole training state: {type(error).__name__}",
                why="the training can go on only from a state that is complete",
                fix="Start again with --overwrite",
            ) from error
        return state

    def save_weights(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights after `step` updates."""
        with write_atomically(self._weights(step)) as stream:
            stream.buffer.write(safetensors.torch.save(dict(weights)))

    def keep_weights(self, steps: Collection[int]) -> None:
        """Remove all weights but those of `steps`."""
        kept = {self._weights(step) for step in steps}
        for path in self.folder.glob("weights-*.safetensors"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def average_weights(self, steps: Sequence[int]) -> dict[str, Tensor]:
        """Return the mean of the kept weights of `steps`, tensor by tensor."""
        try:
            mean = self._load_weights(steps[0])
            for count, step in enumerate(steps[1:], start=2):
                for name, tensor in self._load_weights(step).items():
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

    def _load_weights(self, step: int) -> dict[str, Tensor]:
        return safetensors.torch.load_file(self._weights(step))
