"""A training's state on disk, written whole or not at all, checked and loaded without pickle."""

import errno
import logging
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from seqcli.errors import ModelError
from seqcli.text.lines import write_atomically
from seqcli.training.memory import is_out_of_memory

STATES_KEPT = 2  # the newest, and the one before in case that a power cut damages the newest

log = logging.getLogger(__name__)


class CheckpointFolder:
    """The folder `training/` of a model: states to go on from, and the best weights so far.

    What is written takes the place of what was there, or leaves it as it was with an OutputError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: list[Path] = []  # states, newest first; the first is whole

    @property
    def has_state(self) -> bool:
        """Whether there is a state, whole or not."""
        return bool(self._states())

    def save_state(self, step: int, state: Mapping[str, Any]) -> None:
        """Write the state after `step` updates; it and the whole one before it are kept."""
        path = self.folder / f"state-{step:08d}.pt"
        with write_atomically(path) as stream:
            try:
                torch.save(state, stream.buffer)
            except RuntimeError as error:  # torch's own, with the disk's inside
                raise error.__context__ or error from None
        self._kept = [path, *(other for other in self._kept if other != path)][:STATES_KEPT]
        for other in self._states():
            if other not in self._kept:
                other.unlink(missing_ok=True)

    def load_state(self, tell: Callable[[str], None] = log.warning) -> dict[str, Any] | None:
        """Return the newest whole state, or None if none was ever written.

        It and the one before it are kept. `tell` hears of newer ones that are damaged. Raises
        ModelError if all are, or if one cannot be read, as where memory or a permission lacks.
        """
        damaged: list[str] = []
        states = self._states()
        for number, path in enumerate(states):
            try:
                state = _read_state(path)
            except Exception as error:  # zipfile and torch raise many kinds for a broken file
                if _is_of_the_machine(error):
                    raise _unreadable(path, error) from error
                damaged.append(f"{path.name} is damaged ({str(error) or type(error).__name__})")
                continue
            if damaged:
                tell(f"{'; '.join(damaged)}: going on from the state before it, {path.name}")
            self._kept = states[number : number + STATES_KEPT]
            for old in states[number + STATES_KEPT :]:  # a killed process had no time for it
                old.unlink(missing_ok=True)
            return state
        if damaged:
            raise ModelError(
                f"no whole training state is left in {self.folder}: {'; '.join(damaged)}",
                why="the training can go on only from a state that is complete",
                fix="Start again with --overwrite",
            )
        return None

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
                fix="Use the model as it is, the best of them alone, or start again with "
                "--overwrite",
            ) from error
        return mean

    def _states(self) -> list[Path]:
        """All states, newest first; last the `state.pt` that earlier versions wrote."""
        return sorted(self.folder.glob("state*.pt"), key=lambda path: path.stem, reverse=True)

    def _weights(self, step: int) -> Path:
        return self.folder / f"weights-{step:08d}.safetensors"

    def _load_weights(self, step: int) -> dict[str, Tensor]:
        return safetensors.torch.load_file(self._weights(step))


def _is_of_the_machine(error: Exception) -> bool:
    """Whether a state could not be read though it may be whole.

    A broken one may name a place in the file that cannot be (EINVAL).
    """
    if isinstance(error, OSError):
        return error.errno != errno.EINVAL
    return is_out_of_memory(error)


def _unreadable(path: Path, error: Exception) -> ModelError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ModelError(
        f"cannot read {path}: {reason or type(error).__name__}",
        why="it may be whole all the same, so no older state takes its place; nothing was deleted",
        fix="Mend what the system names, and go on with --resume",
    )


def _read_state(path: Path) -> dict[str, Any]:
    """Read a state; raises many kinds of error for one that is not whole.

    torch writes a zip archive with a checksum (CRC-32) of each part, but does not check it.
    """
    with zipfile.ZipFile(path) as archive:
        if part := archive.testzip():
            raise zipfile.BadZipFile(f"wrong checksum of {part}")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
