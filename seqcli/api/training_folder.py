"""The folder that a training writes: refused, gone on with, or made anew."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from seqcli.bundle import FACTS, RECIPE, TRAINING, save_tokenizers
from seqcli.config import from_dict, read_toml, to_toml
from seqcli.errors import ConfigError, OutputError, UsageError
from seqcli.experiment import Recipe
from seqcli.text.lines import write_atomically
from seqcli.tokenizers import Tokenizer


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
    stored = output / TRAINING / RECIPE
    if resume and stored.is_file():
        _require_same(from_dict(read_toml(stored), Recipe, origin=str(stored)), recipe)
        return True
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise OutputError(
                f"{output} exists already",
                why="a training would mix its files with what is there",
                fix="Choose another folder, go on with --resume, or replace it with --overwrite",
            )
        if not ((output / FACTS).is_file() or stored.is_file()):
            raise OutputError(
                f"{output} is not a model's folder, so it is not overwritten",
                why="--overwrite deletes what is in the folder, and this one holds other files",
                fix="Choose another folder, or empty this one yourself",
            )
    return False


def make_folder(output: Path, recipe: Recipe, tokenizers: Mapping[str, Tokenizer]) -> None:
    """Make the folder, or empty the one that `check_folder` let pass. Raises OutputError."""
    try:
        for path in output.iterdir() if output.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        (output / TRAINING).mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {output}: {error.strerror}",
            fix="Choose a folder that you may write to",
        ) from error
    with write_atomically(output / TRAINING / RECIPE) as file:  # first: it marks the folder as ours
        file.write(to_toml(recipe))
    save_tokenizers(output, tokenizers)


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
