"""A training in stages: what is finished is not done again when it goes on."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from seqcli.errors import ConfigError
from seqcli.text.lines import write_atomically

STAGES = "stages.json"

T = TypeVar("T")


class _Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that is over, and what it was made from."""

    inputs: str  # a fingerprint
    seconds: float


class Stages:
    """The stages of the training whose state is in `folder`.

    Each leaves files behind; it counts as finished once these are whole. `tell` hears of each. What
    is in `outdated` is removed before any stage is done anew, as it is made from all of them. Where
    stages `must_match`, none is done anew that was finished: ConfigError.
    """

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        *,
        outdated: Sequence[Path] = (),
        must_match: bool = False,
    ) -> None:
        self._path = folder / STAGES
        self._tell = tell
        self._outdated = outdated
        self._must_match = must_match
        self._finished = _read(self._path)

    @property
    def seconds(self) -> dict[str, float]:
        """How long each of the finished stages took."""
        return {name: stage.seconds for name, stage in self._finished.items()}

    def run(
        self,
        name: str,
        *,
        after: Sequence[str] = (),
        settings: Any,
        make: Callable[[], T],
        load: Callable[[], T],
    ) -> T:
        """Load what a stage left if it is finished and was made from the same, else make it.

        It is made from `settings` (plain or a struct) and from what the stages `after` left.
        """
        inputs = self._fingerprint(settings, after)
        if name in self._finished and self._finished[name].inputs == inputs:
            self._tell(f"{name}: finished before")
            return load()
        if name in self._finished and self._must_match:
            raise ConfigError(
                f"the stage {name!r} in {self._path.parent} was made from other text or by another "
                "version",
                why="a resumed training must equal one that was never stopped",
                fix="Put the text back as it was, or allow the change with override (--override)",
            )
        for path in self._outdated:
            path.unlink(missing_ok=True)
        self._finished.pop(name, None)
        self._write()
        start = time.monotonic()
        made = make()
        seconds = time.monotonic() - start
        self._finished[name] = _Finished(inputs=inputs, seconds=seconds)
        self._write()
        self._tell(f"{name}: {seconds:.1f} s")
        return made

    def _fingerprint(self, settings: Any, after: Sequence[str]) -> str:
        digest = hashlib.sha256(msgspec.json.encode(settings, order="deterministic"))
        for stage in after:
            digest.update(self._finished[stage].inputs.encode())
        return digest.hexdigest()

    def _write(self) -> None:
        with write_atomically(self._path) as stream:
            stream.buffer.write(msgspec.json.encode(self._finished))


def _read(path: Path) -> dict[str, _Finished]:
    """The finished stages; none if the file cannot be used: then all is done again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Finished])
    except (OSError, ValueError, msgspec.MsgspecError):
        return {}


def text_fingerprint(texts: Mapping[str, Sequence[str]]) -> str:
    """One hash over the lines of all texts and their names."""
    digest = hashlib.sha256()
    for name, lines in texts.items():
        digest.update(f"{name} {len(lines)}\n".encode())
        for line in lines:
            digest.update(f"{line}\n".encode())
    return digest.hexdigest()
