"""The folder that a training writes: refused, gone on with, or made anew."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from seqcli.api.pretrained_vectors import vector_files
from seqcli.bundle import (
    CARD,
    FACTS,
    RECIPE,
    TOKENIZER_FILES,
    TRAINING,
    WEIGHTS,
    save_tokenizers,
)
from seqcli.config import read_toml, to_toml
from seqcli.errors import ConfigError, DataError, OutputError, UsageError
from seqcli.experiment import SURROGATE, Recipe, recipe_from
from seqcli.text.lines import UNFINISHED, write_atomically
from seqcli.tokenizers import Tokenizer

TEXT = "text.sha256"  # in the folder of the training's state


def check_folder(output: Path, recipe: Recipe, *, resume: bool, overwrite: bool) -> bool:
    """Return whether there is a training to go on with; touch nothing.

    Raises OutputError where the folder holds what must not be replaced, and ConfigError where
    `resume` is asked with another recipe.
    """
    if resume and overwrite:
        raise UsageError(
            "--resume and --overwrite do not go together",
            why="one goes on with what is there, the other deletes it",
            fix="Give one of them",
        )
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file", fix="Choose another name for the model's folder")
    if SURROGATE.search(f"{output} {output.resolve().name}"):
        raise OutputError(
            f"the name of the folder is not UTF-8: {str(output)!r}",
            why="the name is stored with the model, as UTF-8",
            fix="Choose another name",
        )
    stored = output / TRAINING / RECIPE
    if resume and stored.is_file():
        _require_same(recipe_from(read_toml(stored), origin=str(stored)), recipe)
        return True
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise OutputError(
                f"{output} exists already" + (", with no training to go on with" if resume else ""),
                why="a training would mix its files with what is there",
                fix="Choose another folder"
                + ("" if resume else ", go on with --resume")
                + ", or replace it with --overwrite",
            )
        if not ((output / FACTS).is_file() or stored.is_file()):
            raise OutputError(
                f"{output} is not a model's folder, so it is not overwritten",
                why="--overwrite deletes what is in the folder, and this one holds other files",
                fix="Choose another folder, or empty this one yourself",
            )
        _require_outside(output, recipe)
        _require_nothing_else(output)
    return False


def reopen_folder(output: Path, text: str) -> None:
    """Make ready to go on in the folder that `check_folder` let pass.

    `text` is the fingerprint of the text; DataError if that is not what the training began with.
    What a killed process left half-written is removed.
    """
    stored = output / TRAINING / TEXT
    if stored.is_file() and stored.read_text() != text:
        raise DataError(
            "the training or validation text is not what it was when the training began",
            why="a resumed training must equal one that was never stopped",
            fix="Give the same text, or start again with --overwrite",
        )
    for folder in (output, output / TRAINING):
        for path in folder.glob(UNFINISHED):
            path.unlink(missing_ok=True)


def make_folder(
    output: Path, recipe: Recipe, tokenizers: Mapping[str, Tokenizer], text: str
) -> None:
    """Make the folder, or empty the one that `check_folder` let pass. Raises OutputError.

    `text` is the fingerprint of the text. After a failure the folder, if there is one, is empty.
    """
    try:
        _empty(output)
        (output / TRAINING).mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {output}: {error.strerror}",
            fix="Choose a folder that you may write to",
        ) from error
    try:
        with write_atomically(output / TRAINING / RECIPE) as file:  # first: it marks it as ours
            file.write(to_toml(recipe))
        with write_atomically(output / TRAINING / TEXT) as file:
            file.write(text)
        save_tokenizers(output, tokenizers)
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


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


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


def _require_same(stored: Recipe, wanted: Recipe) -> None:
    """Refuse to go on with a training whose recipe is another one, naming the keys."""
    before, now = dict(_flat(stored)), dict(_flat(wanted))
    changed = [
        f"{key} ({before.get(key)!r} before, {now.get(key)!r} now)"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise ConfigError(
            f"the settings differ from those of the stopped training: {', '.join(changed)}",
            why="a resumed training must equal one that was never stopped",
            fix="Give the same settings, or start again with --overwrite",
        )


def _flat(recipe: Recipe) -> Iterator[tuple[str, object]]:
    """Each setting by its full dotted key."""
    waiting: list[tuple[str, object]] = [("", msgspec.to_builtins(recipe))]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{key}.{name}".strip("."), inner) for name, inner in value.items()]
        else:
            yield key, value
