"""The folder that a training writes: refused, gone on with, or made anew."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from os.path import isdir
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from seqcli.api.pretrained_vectors import vector_files
from seqcli.api.whole_folder import require_one_wish
from seqcli.bundle import (
    CARD,
    FACTS,
    RECIPE,
    TOKENIZER_FILES,
    TRAINING,
    WEIGHTS,
    save_tokenizers,
)
from seqcli.config import flat_settings, read_toml, setting_text, to_toml
from seqcli.data.config import SURROGATE
from seqcli.data.prepared_folder import PREPARED
from seqcli.errors import ConfigError, DataError, OutputError
from seqcli.experiment import Recipe, recipe_from
from seqcli.text.lines import UNFINISHED, write_atomically
from seqcli.tokenizers import Tokenizer
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.lock import LOCK, locked

TEXT = "text.sha256"  # in the folder of the training's state
OVERRIDABLE = (  # what a training may go on with anew
    "training.",
    "evaluation.",
    "decoding.",
    "data.test",
)
FREE = ("training.max_minutes",)  # what changes when it ends for now, but not what comes of it
FIXED = (  # all the same, as the state is made of them: it stands at a batch of an epoch
    "training.batch_tokens",
    "training.batch_sentences",
    "training.accumulate",
)


class TextMarks(NamedTuple):
    """Fingerprints of what is learned from and of what is validated on, equal for equal lines."""

    both: str
    training: str
    validation: str


@contextmanager
def open_folder(
    output: Path, recipe: Recipe, *, resume: bool, overwrite: bool, override: bool
) -> Iterator[bool]:
    """Check the folder as `check_folder` does, and keep other trainings out of it in the block.

    Gives whether there is a training to go on with. A folder that has nothing in it at the end is
    removed again. Raises OutputError, also if another training is at work in it.
    """
    how = {"resume": resume, "overwrite": overwrite, "override": override}
    check_folder(output, recipe, **how)
    training = output / TRAINING
    made = [folder for folder in (training, *training.parents) if not folder.exists()]
    try:
        training.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {output}: {error.strerror}",
            fix="Choose a folder that you may write to",
        ) from error
    with locked(training):
        try:
            yield check_folder(output, recipe, **how)  # once more: now nobody else changes it
        finally:
            _remove_if_empty(training, made)


def check_folder(
    output: Path, recipe: Recipe, *, resume: bool, overwrite: bool, override: bool = False
) -> bool:
    """Return whether there is a training to go on with; touch nothing.

    Raises OutputError where the folder holds what must not be replaced, or a model without the
    state to go on from. ConfigError where `resume` is asked with another recipe, unless all that
    differs is what `override` may change.
    """
    require_one_wish(resume=resume, overwrite=overwrite, override=override)
    require_writable_folder(output)
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file", fix="Choose another name for the model's folder")
    if SURROGATE.search(f"{output} {output.resolve().name}"):
        raise OutputError(
            f"the name of the folder is not UTF-8: {str(output)!r}",
            why="the name is stored with the model, as UTF-8",
            fix="Choose another name",
        )
    if resume:
        _require_state_beside_model(output)
    if resume and _was_begun(output):
        _require_permitted(changed_settings(output, recipe), override=override)
        return True
    was_being_made = (output / TRAINING / RECIPE).is_file() and not _was_begun(output)
    if _is_empty(output) or (resume and was_being_made):
        return False
    if not overwrite:
        raise OutputError(
            f"{output} exists already" + (", with no training to go on with" if resume else ""),
            why="a training would mix its files with what is there",
            fix="Choose another folder"
            + ("" if resume else ", go on with --resume")
            + ", or replace it with --overwrite",
        )
    if not ((output / FACTS).is_file() or (output / TRAINING / RECIPE).is_file()):
        raise OutputError(
            f"{output} is not a model's folder, so it is not overwritten",
            why="--overwrite deletes what is in the folder, and this one holds other files",
            fix="Choose another folder, or empty this one yourself",
        )
    _require_outside(output, recipe)
    _require_nothing_else(output)
    return False


def require_writable_folder(output: Path) -> None:
    """Raise at once the OutputError of a model's folder that cannot be made or written to."""
    places = (output / TRAINING, output, *output.parents)
    folder = next(place for place in places if isdir(place))  # not is_dir, which may be refused
    try:
        with TemporaryFile(dir=folder):
            pass  # where that could be made, so can the rest
    except OSError as error:
        raise OutputError(
            f"cannot write to the folder {folder}: {error.strerror}",
            why="the model is written to it",
            fix="Choose a folder that you may write to",
        ) from error


def changed_settings(output: Path, recipe: Recipe) -> dict[str, str]:
    """Return what differs from the recipe of the training in `output`: both values, by key."""
    stored = output / TRAINING / RECIPE
    before = flat_settings(recipe_from(read_toml(stored), origin=str(stored)))
    now = flat_settings(recipe)
    free = {*FREE, *(["training.batch_tokens"] if now["training.batch_sentences"] else [])}
    return {
        key: f"{setting_text(before.get(key))} before, {setting_text(now.get(key))} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and key not in free
    }


def reopen_folder(output: Path, recipe: Recipe, text: TextMarks) -> None:
    """Make ready to go on in the folder that `open_folder` let pass.

    DataError if the `text` is not what the training began with. What a killed process left
    half-written is removed.
    """
    stored = output / TRAINING / TEXT
    if stored.is_file():
        _require_same_text(stored.read_text().splitlines(), text, recipe)
    for folder in (output, output / TRAINING):
        for path in folder.glob(UNFINISHED):
            path.unlink(missing_ok=True)


def record_changes(output: Path, recipe: Recipe, *, epochs: int) -> None:
    """Let `recipe` take the place of the one that the training had, of which `epochs` are done.

    ConfigError if it ends before them, and then nothing changes.
    """
    if epochs > recipe.training.epochs:
        raise ConfigError(
            f"training.epochs is {recipe.training.epochs}, but {epochs} epochs are done",
            why="what was learned in them cannot be taken back",
            fix=f"Give {epochs} or more, or start again with --overwrite",
        )
    if changed_settings(output, recipe):
        _write_recipe(output, recipe)


def make_folder(
    output: Path, recipe: Recipe, tokenizers: Mapping[str, Tokenizer], text: TextMarks
) -> None:
    """Empty the folder that `open_folder` let pass, and put in what all trainings begin with.

    OutputError, after which the folder is empty.
    """
    try:
        _empty(output)
    except OSError as error:
        raise OutputError(
            f"cannot delete what is in {output}: {error.strerror}",
            fix="Choose a folder that you may write to",
        ) from error
    try:
        _write_recipe(output, recipe)  # first: it marks the folder as ours
        save_tokenizers(output, tokenizers)
        with write_atomically(output / TRAINING / TEXT) as file:  # last: now all is there
            file.write("".join(f"{mark}\n" for mark in text))
    except BaseException:
        _empty(output)
        raise


def fingerprint(*texts: Sequence[str]) -> str:
    """Return one hash over the lines of all `texts`."""
    digest = hashlib.sha256()
    for lines in texts:
        digest.update(f"{len(lines)}\n".encode())
        for line in lines:
            digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _was_begun(output: Path) -> bool:
    """Whether there is a training, and not only the beginnings of a folder for one."""
    training = output / TRAINING
    is_made = (training / TEXT).is_file() or CheckpointFolder(training).has_state
    return is_made and (training / RECIPE).is_file()


def _require_state_beside_model(output: Path) -> None:
    """Refuse to train again from the start where only the state of a training was removed."""
    has_model = (output / FACTS).is_file() and (output / WEIGHTS).is_file()
    training = output / TRAINING
    if has_model and (training / RECIPE).is_file() and not CheckpointFolder(training).has_state:
        raise OutputError(
            f"{output} has a model, but no training state to go on from",
            why="a training from the start would replace the model and its log",
            fix="Use the model as it is, choose another folder, or replace it with --overwrite",
        )


def _is_empty(output: Path) -> bool:
    """Whether there is nothing, or nothing but what a training killed at its very start leaves."""
    if not output.exists():
        return True
    training = output / TRAINING
    inside = list(training.iterdir()) if training.is_dir() else []
    return {*output.iterdir()} <= {training} and all(
        path.name in (LOCK, PREPARED) or path.match(UNFINISHED) for path in inside
    )


def _remove_if_empty(training: Path, made: Sequence[Path]) -> None:
    """Remove the lock and the folders that were `made` for it, if nothing else came into them."""
    with suppress(OSError):  # up to the first that is not empty, or cannot be removed
        if {path.name for path in training.iterdir()} == {LOCK}:
            (training / LOCK).unlink()
            for folder in made:
                folder.rmdir()


def _write_recipe(output: Path, recipe: Recipe) -> None:
    with write_atomically(output / TRAINING / RECIPE) as file:
        file.write(to_toml(recipe))


def _empty(output: Path) -> None:
    """Delete all but the lock and the prepared text.

    What tells that the folder is ours goes last: one may die here.
    """
    training = output / TRAINING
    marks = (training / TEXT, output / FACTS, training / RECIPE)
    for path in [*training.iterdir(), *output.iterdir()]:
        if path in (training, training / LOCK, training / PREPARED, *marks):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in marks:
        path.unlink(missing_ok=True)


def _require_same_text(before: Sequence[str], now: TextMarks, recipe: Recipe) -> None:
    """Refuse another text than that of the marks of `before`, naming its files.

    What earlier versions wrote has the mark of both alone.
    """
    if before[:1] == [now.both]:
        return
    files = {"training": recipe.data.train, "validation": recipe.data.valid}
    marks = zip(files, before[1:], now[1:], strict=False)
    changed = [name for name, old, new in marks if old != new and files[name]]
    told = " and ".join(changed) or " or ".join(files)
    named = chain.from_iterable(files[name] for name in changed or files)
    raise DataError(
        f"the {told} text is not what it was when the training began: {', '.join(named)}",
        why="a resumed training must equal one that was never stopped",
        fix="Give the same text, or start again with --overwrite, as after a new version of "
        "seqcli that reads the text in another way",
    )


def _require_outside(output: Path, recipe: Recipe) -> None:
    """Refuse to empty a folder that holds what the training reads."""
    data = recipe.data
    for file in (*data.train, *data.valid, *data.test, *vector_files(recipe).values()):
        if Path(file).resolve().is_relative_to(output.resolve()):
            raise OutputError(
                f"{file} is in {output}, so {output} is not overwritten",
                why="--overwrite deletes all that is in the folder, what it is to learn from too",
                fix="Choose another folder, or move the text out of this one",
            )


def _require_nothing_else(output: Path) -> None:
    """Refuse to empty a folder that holds more than a model, such as the user's recipe."""
    ours = {FACTS, WEIGHTS, CARD, TRAINING, *TOKENIZER_FILES}
    others = sorted(
        path.name
        for path in output.iterdir()
        if path.name not in ours and not path.match(UNFINISHED)
    )
    if others:
        raise OutputError(
            f"{output} holds more than a model: {', '.join(others)}",
            why="--overwrite deletes all that is in the folder",
            fix="Choose another folder, or move these out of it",
        )


def _require_permitted(changed: Mapping[str, str], *, override: bool) -> None:
    """Refuse to go on with a training whose recipe is another one, naming the keys."""
    fixed = {
        key: values
        for key, values in changed.items()
        if not key.startswith(OVERRIDABLE) or key in FIXED
    }
    refused = fixed if override else changed
    if not refused:
        return
    raise ConfigError(
        "the settings differ from those of the stopped training: "
        + ", ".join(f"{key} ({values})" for key, values in refused.items()),
        why="its model, text and batches stay what they are, also with --override"
        if override
        else "a resumed training must equal one that was never stopped",
        fix="Give the same settings, or start again with --overwrite"
        + ("" if fixed else "; --override takes the new ones"),
    )
