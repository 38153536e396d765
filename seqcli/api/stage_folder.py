"""The folder of a training in stages: refused, gone on with, or made anew."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqcli.api.whole_folder import require_one_wish, require_replaceable
from seqcli.bundle import FACTS, RECIPE, TRAINING
from seqcli.config import Config, flat_settings, from_dict, read_toml, to_toml
from seqcli.errors import ConfigError, OutputError
from seqcli.smt.stages import STAGES, Stages
from seqcli.text.lines import UNFINISHED, write_atomically
from seqcli.training.lock import LOCK, locked


@contextmanager
def stage_folder(
    output: Path,
    recipe: Config,
    *,
    inputs: Collection[str],
    others: Collection[str],
    resume: bool,
    overwrite: bool,
    override: bool,
) -> Iterator[Path]:
    """Yield the folder of the training's state inside `output`, and keep other trainings out.

    With `resume` what is there stays, so that finished stages are not done again; with `override`
    also where the settings are others. A new training that ends before its first stage does leaves
    nothing behind. `overwrite`, `inputs` and `others` are as for
    `written_whole`. Raises OutputError, UsageError, and ConfigError for other settings.
    """
    check_stage_folder(
        output,
        recipe,
        inputs=inputs,
        others=others,
        resume=resume,
        overwrite=overwrite,
        override=override,
    )
    training, is_new = output / TRAINING, not output.exists()
    try:
        training.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {output}: {error.strerror}",
            fix="Choose a folder that you may write to",
        ) from error
    with locked(training):
        if not resume:
            _empty(output)
        for folder in (output, training):
            for path in folder.glob(UNFINISHED):
                path.unlink(missing_ok=True)
        with write_atomically(training / RECIPE) as file:
            file.write(to_toml(recipe))
        try:
            yield training
        except BaseException:
            if not resume and not Stages(training, lambda _: None).seconds:
                _empty(output)  # nothing is done that another training could go on from
                shutil.rmtree(training, ignore_errors=True)
                if is_new:
                    with suppress(OSError):  # somebody has put a file there
                        output.rmdir()
            raise


def check_stage_folder(
    output: Path,
    recipe: Config,
    *,
    inputs: Collection[str],
    others: Collection[str],
    resume: bool,
    overwrite: bool,
    override: bool,
) -> None:
    """Raise what `stage_folder` would, and touch nothing."""
    require_one_wish(resume=resume, overwrite=overwrite, override=override)
    stored = output / TRAINING / RECIPE
    if resume and stored.is_file():
        if not override:
            _require_same(recipe, from_dict(read_toml(stored), type(recipe), origin=str(stored)))
        return
    if _is_empty(output):
        return
    if not overwrite:
        can_go_on = (output / TRAINING / STAGES).is_file()
        raise OutputError(
            f"{output} exists already" + (", with no training to go on with" if resume else ""),
            why="a training would mix its files with what is there",
            fix="Choose another folder"
            + (", go on with --resume" if can_go_on else "")
            + ", or replace it with --overwrite",
        )
    require_replaceable(
        output, overwrite=overwrite, inputs=inputs, others={*others, TRAINING}, marks=(stored,)
    )


def _is_empty(output: Path) -> bool:
    """Whether there is nothing, or nothing but what a training killed at its very start leaves."""
    if not output.is_dir():
        return not output.exists()
    training = output / TRAINING
    inside = {path.name for path in training.iterdir()} if training.is_dir() else set()
    return {*output.iterdir()} <= {training} and inside <= {LOCK}


def _require_same(recipe: Config, before: Config) -> None:
    now, then = flat_settings(recipe), flat_settings(before)
    changed = [key for key in sorted(now.keys() | then.keys()) if now.get(key) != then.get(key)]
    if changed:
        raise ConfigError(
            "the settings differ from those of the stopped training: "
            + ", ".join(
                f"{key} ({then.get(key)!r} before, {now.get(key)!r} now)" for key in changed
            ),
            why="a resumed training must equal one that was never stopped",
            fix="Give the same settings, or start again with --overwrite; --override takes the new "
            "ones and does again what depends on them",
        )


def _empty(output: Path) -> None:
    """Delete all but the lock. The model's facts go first: without them it is none."""
    (output / FACTS).unlink(missing_ok=True)
    training = output / TRAINING
    for path in [*output.iterdir(), *training.iterdir()]:
        if path in (training, training / LOCK):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
