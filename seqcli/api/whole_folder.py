"""A model's folder that appears when all of it is there, and not before."""

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from seqcli.bundle import CARD, FACTS, TOKENIZER_FILES
from seqcli.errors import OutputError, UsageError
from seqcli.text.lines import UNFINISHED


@contextmanager
def written_whole(
    output: Path, *, overwrite: bool, inputs: Collection[str], others: Collection[str]
) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `output` once the block ends well.

    A model that is there is replaced if `overwrite` says so, if it has no files but those of every
    model and `others`, and if none of the `inputs` of the training is in it. Raises OutputError,
    also for any OSError in the block; whatever goes wrong, what was there stays.
    """
    output = Path(os.path.realpath(output))
    require_replaceable(output, overwrite=overwrite, inputs=inputs, others=others)
    fresh, old = (output.with_name(UNFINISHED.replace("*", secrets.token_hex(8))) for _ in "ab")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _replace(output, fresh, old)
    except OSError as error:
        raise OutputError(
            f"cannot write the folder {output}: {error.strerror or error}",
            why=f"what was there is now in {old}" if old.exists() else "",
            fix="Choose a folder that you may write to, on a disk with room for it",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(output: Path, fresh: Path, old: Path) -> None:
    """Put `fresh` in the place of `output`, which waits in `old` and comes back on any failure."""
    try:
        if output.exists():
            output.rename(old)
        fresh.rename(output)
    except BaseException:
        if old.exists() and not output.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def require_replaceable(
    output: Path,
    *,
    overwrite: bool,
    inputs: Collection[str],
    others: Collection[str],
    marks: Collection[Path] = (),
) -> None:
    """Raise OutputError unless a model may be written to the folder `output`, as above.

    A folder is known for a model's by its facts, or by one of the files `marks`.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file", fix="Choose another name for the model's folder")
    found = {path.name for path in output.iterdir()} if output.exists() else set()
    if not found:
        return
    if not overwrite:
        raise OutputError(
            f"{output} exists already",
            why="a training would mix its files with what is there",
            fix="Choose another folder, or replace it with --overwrite",
        )
    foreign = sorted(found - {FACTS, CARD, *TOKENIZER_FILES, *others})
    if foreign or not (FACTS in found or any(mark.is_file() for mark in marks)):
        raise OutputError(
            f"{output} is not overwritten: "
            + (f"it holds {', '.join(foreign)}" if foreign else "it is not a model's folder"),
            why="--overwrite deletes all that is in it, and this is no part of a model",
            fix="Choose another folder, or empty this one yourself",
        )
    for file in inputs:
        if Path(file).resolve().is_relative_to(output):
            raise OutputError(
                f"{file} is in {output}, so {output} is not overwritten",
                why="--overwrite deletes all that is in the folder, what it is to learn from too",
                fix="Choose another folder, or move the text out of this one",
            )


def require_one_wish(*, resume: bool, overwrite: bool, override: bool) -> None:
    """Raise UsageError for wishes about a folder that do not go together."""
    if resume and overwrite:
        raise UsageError(
            "--resume and --overwrite do not go together",
            why="one goes on with what is there, the other deletes it",
            fix="Give one of them",
        )
    if override and not resume:
        raise UsageError(
            "--override goes with --resume alone",
            why="it lets a training go on with other settings; a new one takes any",
            fix="Leave it out, add --resume, or replace a model with --overwrite",
        )
