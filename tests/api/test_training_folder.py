"""What a training does with the folder that it finds; `test_train.py` looks at the training."""

import errno
import gzip
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from seqcli.api.training_folder import changed_settings
from seqcli.bundle import FACTS, TRAINING, WEIGHTS
from seqcli.errors import ConfigError, DataError, OutputError, UsageError
from seqcli.experiment import resolve_recipe
from seqcli.text.lines import write_atomically
from seqcli.training.interruption import Interrupted
from seqcli.training.report import ValidationReport
from tests.api.trainings import (
    SETTINGS,
    Corpus,
    Recorder,
    ask_to_stop_at,
    contents,
    recipe_of,
    require_equal,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")


def test_resume_with_another_recipe_names_the_keys_with_both_values(
    tmp_path: Path, corpus: Corpus
) -> None:
    with pytest.raises(Interrupted):
        train_at(tmp_path / "model", recipe_of(corpus), Recorder(ask_to_stop_at(2)))
    other = recipe_of(corpus, "model.dropout=0.35", "data.max_length=50", "decoding.beam_width=2")
    with pytest.raises(ConfigError) as raised:
        train_at(tmp_path / "model", other, resume=True)
    assert "model.dropout (0.2 before, 0.35 now)" in raised.value.what
    assert "data.max_length (200 before, 50 now)" in raised.value.what
    assert "decoding.beam_width (5 before, 2 now)" in raised.value.what
    assert "seed" not in raised.value.what


def test_a_size_of_batches_that_is_not_heeded_is_no_other_setting(
    tmp_path: Path, corpus: Corpus
) -> None:
    settings = [each for each in SETTINGS if not each.startswith("training.batch_tokens")]
    settings += ["training.batch_sentences=8", "training.epochs=1"]
    recipe = resolve_recipe(None, files=corpus, assignments=settings)
    other = msgspec.structs.replace(recipe.training, batch_tokens=77)
    with pytest.raises(Interrupted):
        train_at(
            tmp_path / "model",
            msgspec.structs.replace(recipe, training=other),
            Recorder(ask_to_stop_at(2)),
        )
    assert not changed_settings(tmp_path / "model", recipe)
    train_at(tmp_path / "model", recipe, resume=True)


def test_resume_with_other_text_is_refused_and_a_copy_of_the_text_is_not(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(2)))
    before = contents(folder)
    for name, told in (("train", "training"), ("valid", "validation")):
        path = Path(corpus[name][1])
        text = path.read_bytes()
        path.write_bytes(text.replace(b"a", b"b", 1))
        with pytest.raises(DataError) as raised:
            train_at(folder, recipe, resume=True)
        assert raised.value.what == (
            f"the {told} text is not what it was when the training began: "
            + ", ".join(corpus[name])
        )
        assert "--overwrite" in raised.value.fix
        assert contents(folder) == before
        path.write_bytes(gzip.compress(text))  # the same lines
    train_at(folder, recipe, resume=True)


def test_a_change_to_text_of_which_a_part_is_held_out_names_the_training_text_alone(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of({"train": corpus["train"]}, "training.epochs=1")
    train_at(folder, recipe)
    path = Path(corpus["train"][0])
    path.write_text(path.read_text().replace("a", "b"))
    with pytest.raises(DataError, match="the training text is not what it was"):
        train_at(folder, recipe, resume=True)


def test_the_text_of_a_training_that_an_earlier_version_began_is_compared_as_a_whole(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    train_at(folder, recipe)
    marks = folder / TRAINING / "text.sha256"
    marks.write_text(marks.read_text().splitlines()[0])
    train_at(folder, recipe, resume=True)
    Path(corpus["valid"][1]).write_text("a\n" * 6)
    with pytest.raises(DataError, match="the training or validation text is not") as raised:
        train_at(folder, recipe, resume=True)
    assert corpus["valid"][1] in raised.value.what


@pytest.mark.parametrize("exists", [True, False])
def test_resume_without_a_training_simply_starts(
    tmp_path: Path, corpus: Corpus, exists: bool
) -> None:
    folder = tmp_path / "inner" / "model"
    if exists:
        folder.mkdir(parents=True)
    recipe, told = recipe_of(corpus, "training.epochs=1"), []
    for _ in range(2):
        recorder = Recorder()
        train_at(folder, recipe, recorder, resume=True)
        told.append("there is nothing to go on with: a new training begins" in recorder.messages)
    assert told == [True, False]
    assert (folder / WEIGHTS).is_file()


def test_where_there_is_nothing_to_resume_resume_is_not_advised(
    tmp_path: Path, corpus: Corpus
) -> None:
    with pytest.raises(OutputError, match="no training to go on with") as raised:
        train_at(tmp_path, recipe_of(corpus), resume=True)  # here is the text
    assert "--resume" not in raised.value.fix


@pytest.mark.parametrize("removed", [["state-*"], ["state-*", "text.sha256"]])
def test_a_model_whose_training_state_was_removed_is_not_trained_again_by_resume(
    tmp_path: Path, corpus: Corpus, removed: list[str]
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    train_at(folder, recipe)
    for pattern in removed:
        for path in (folder / TRAINING).glob(pattern):
            path.unlink()
    before = contents(folder)
    with pytest.raises(OutputError, match="no training state to go on from") as raised:
        train_at(folder, recipe, resume=True)
    assert "--overwrite" in raised.value.fix
    assert contents(folder) == before
    train_at(folder, recipe, overwrite=True)


def test_an_existing_folder_is_replaced_only_if_it_is_a_model_and_one_asks(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.epochs=1")
    folder = tmp_path / "model"
    train_at(folder, recipe)
    before = contents(folder)
    with pytest.raises(OutputError, match="exists already") as raised:
        train_at(folder, recipe)
    assert "--resume" in raised.value.fix
    assert "--overwrite" in raised.value.fix
    with pytest.raises(UsageError, match="do not go together"):
        train_at(folder, recipe, resume=True, overwrite=True)
    assert contents(folder) == before
    (folder / "training" / "stale").mkdir()
    train_at(folder, recipe, overwrite=True)
    assert not (folder / "training" / "stale").exists()


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_a_folder_that_holds_the_text_is_not_overwritten(
    tmp_path: Path, corpus: Corpus, name: str
) -> None:
    folder = tmp_path / "model"
    train_at(folder, recipe_of(corpus, "training.epochs=1"))
    inside = folder / "data" / "text"
    inside.parent.mkdir()
    inside.write_bytes(Path(corpus["valid"][1]).read_bytes())
    link = tmp_path / "link"
    link.symlink_to(inside)
    before = contents(folder)
    recipe = recipe_of({**corpus, name: (corpus["valid"][0], str(link))})
    with pytest.raises(OutputError, match=r"link is in .*so .* is not overwritten"):
        train_at(folder, recipe, overwrite=True)
    assert contents(folder) == before


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_that_is_no_model_is_left_alone(
    tmp_path: Path, corpus: Corpus, overwrite: bool
) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match="is not a model's folder" if overwrite else "exists"):
        train_at(folder, recipe_of(corpus), overwrite=overwrite)
    assert contents(folder) == {"chapter.txt": b"years of work"}
    with pytest.raises(OutputError, match="is a file"):
        train_at(folder / "chapter.txt", recipe_of(corpus), overwrite=overwrite)


@pytest.mark.parametrize(
    ("name", "side", "content", "message"),
    [
        ("train", 0, None, "cannot read .*train.source"),
        ("valid", 1, None, "cannot read .*valid.target"),
        ("train", 1, "a\nb\n", "has 40 lines but .*train.target has 2"),
        ("valid", 1, "a\n", "has 6 lines but .*valid.target has 1"),
        ("test", 0, "a\n", "has 1 line but"),
        ("train", 0, "", "train.source is empty"),
        ("test", 1, "", "is empty"),
        ("train", 0, "\n" * 40, "none of the 40 pairs can be used"),
    ],
)
def test_a_fault_of_the_data_shows_before_an_existing_model_is_deleted(
    tmp_path: Path, corpus: Corpus, name: str, side: int, content: str | None, message: str
) -> None:
    folder = tmp_path / "model"
    (folder / TRAINING).mkdir(parents=True)
    (folder / FACTS).write_text("a model that was dear")
    before = contents(folder)
    test = tmp_path / "test.source", tmp_path / "test.target"
    for copy, original in zip(test, corpus["valid"], strict=True):
        copy.write_text(Path(original).read_text())
    files = {**corpus, "test": (str(test[0]), str(test[1]))}
    recipe = recipe_of(files, "tokenizer.vocabulary_size=none")
    broken = Path(files[name][side])
    broken.unlink() if content is None else broken.write_text(content)
    with pytest.raises(DataError, match=message):
        train_at(folder, recipe, overwrite=True)
    assert contents(folder) == before


def test_a_vocabulary_that_the_text_does_not_allow_deletes_nothing_either(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / FACTS).write_text("a model that was dear")
    with pytest.raises(ConfigError, match="9000 is too large"):
        train_at(folder, recipe_of(corpus, "tokenizer.vocabulary_size=9000"), overwrite=True)
    assert contents(folder) == {FACTS: b"a model that was dear"}


def test_a_folder_that_cannot_be_made_is_left_empty_so_that_the_next_attempt_works(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    calls = iter(range(9))
    fsync = os.fsync

    def fail_third(file: int) -> None:
        if next(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail_third)
    with pytest.raises(OutputError, match="No space left"):
        train_at(folder, recipe)
    monkeypatch.undo()
    assert not folder.exists()
    train_at(folder, recipe)


@pytest.mark.parametrize("place", [".", TRAINING])
def test_what_a_killed_process_left_half_written_is_removed(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(*_: object) -> None:
        raise OSError("killed")

    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(2)))
    whole = contents(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        patch.setattr(Path, "unlink", lambda self: None)  # the dead do not tidy up
        with pytest.raises(OutputError, match="killed"), write_atomically(folder / place / "file"):
            pass
    (left,) = contents(folder).keys() - whole.keys()
    train_at(folder, recipe, resume=True)
    assert not (folder / left).exists()


def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_done(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder = tmp_path / os.fsdecode(b"mod\xe9le")
    with pytest.raises(OutputError, match="is not UTF-8") as raised:
        train_at(folder, recipe_of(corpus))
    raised.value.what.encode()  # can be shown
    assert not folder.exists()


def test_what_is_more_than_a_model_is_not_deleted(tmp_path: Path, corpus: Corpus) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus)
    train_at(folder, recipe)
    (folder / "my-recipe.toml").write_text("seed = 1")
    with pytest.raises(OutputError, match=r"holds more than a model: my-recipe\.toml"):
        train_at(folder, recipe, overwrite=True)
    assert (folder / "my-recipe.toml").read_text() == "seed = 1"
    (folder / "my-recipe.toml").unlink()
    train_at(folder, recipe, overwrite=True)


@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}])
def test_a_second_training_in_a_folder_is_refused_and_the_first_goes_on(
    tmp_path: Path, corpus: Corpus, how: dict[str, bool]
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    refusals: list[OutputError] = []

    def start_another(step: int) -> None:
        if step == 2:
            with pytest.raises(OutputError) as raised:
                train_at(folder, recipe, **how)
            refusals.append(raised.value)

    train_at(folder, recipe, Recorder(start_another))
    (refusal,) = refusals
    assert f"{folder} is being trained by process {os.getpid()} on " in refusal.what
    assert "--resume" in refusal.fix
    train_at(tmp_path / "alone", recipe)
    require_equal(folder, tmp_path / "alone")
    train_at(folder, recipe, **how)  # the first has ended


@pytest.mark.parametrize("step", [None, 3])
def test_a_folder_that_cannot_be_written_stops_the_training_and_stays_as_it_is(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, step: int | None
) -> None:
    """It is such before the training goes on, or from a step on."""
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(1)))
    states = {name: each for name, each in contents(folder).items() if "state" in name}
    opened = Path.open

    def refuse(path: Path, mode: str = "r", *arguments: Any, **how: Any) -> IO[Any]:
        if {*mode} & {*"wxa+"} and folder in path.parents:
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, mode, *arguments, **how)

    def protect(reached: int) -> None:
        if reached == step:
            monkeypatch.setattr(Path, "open", refuse)

    if step is None:
        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=f"cannot write {folder}.*: Read-only file system"):
        train_at(folder, recipe, Recorder(protect), resume=True)
    monkeypatch.undo()
    assert {name: each for name, each in contents(folder).items() if "state" in name} == states
    train_at(folder, recipe, resume=True)
    train_at(tmp_path / "whole", recipe)
    require_equal(folder, tmp_path / "whole")


class Killed(BaseException):
    """No code is written to catch it."""


class Killer(Recorder):
    """Ends a training at its first step."""

    def __init__(self) -> None:
        super().__init__(self._die)
        self.steps: list[int] = []

    def _die(self, step: int) -> None:
        self.steps.append(step)
        raise Killed


@contextmanager
def killed_at_change(number: int, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """From the change of that number to a folder on, none comes about: so it is for a dead process.

    The block is left with Killed inside if there were that many.
    """
    changes = itertools.count(1)

    def mortal(change: Callable[..., object]) -> Callable[..., object]:
        def attempt(*arguments: object, **how: object) -> object:
            if next(changes) >= number:
                raise Killed
            return change(*arguments, **how)

        return attempt

    with patch.context() as context:
        for name in ("mkdir", "rename", "replace", "rmdir", "unlink"):
            context.setattr(os, name, mortal(getattr(os, name)))
        yield


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_training_killed_while_its_folder_is_made_can_be_started_again(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """At each change to the folder before the first update."""
    settings = ["training.epochs=1", "training.batch_tokens=600"]
    recipe = recipe_of(corpus, *settings)
    train_at(tmp_path / "whole", recipe)
    if overwrite:
        train_at(tmp_path / "old", recipe_of(corpus, *settings, "seed=6"))
    recorder = Killer()
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        if overwrite:
            shutil.copytree(tmp_path / "old", folder)
        with killed_at_change(number, monkeypatch), pytest.raises(Killed):
            train_at(folder, recipe, recorder, overwrite=overwrite)
        train_at(folder, recipe, resume=not overwrite, overwrite=overwrite)
        require_equal(folder, tmp_path / "whole")
        if recorder.steps:
            break
    assert number > 5


class KilledAtValidation(Recorder):
    """Ends a training when its first model is written and its state is not."""

    def validated(self, report: ValidationReport) -> None:
        raise Killed


def test_a_training_killed_between_its_first_model_and_its_state_goes_on(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    with pytest.raises(Killed):
        train_at(folder, recipe, KilledAtValidation())
    assert (folder / WEIGHTS).is_file()
    assert [path.name for path in (folder / TRAINING).glob("state*")] == ["state-00000000.pt"]
    train_at(folder, recipe, resume=True)
    train_at(tmp_path / "whole", recipe)
    require_equal(folder, tmp_path / "whole")


def test_settings_that_differ_are_told_as_a_recipe_has_them(tmp_path: Path, corpus: Corpus) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus, "training.epochs=1")
    train_at(folder, recipe)
    other = recipe_of({**corpus, "valid": ("c", "d")}, "data.max_length_ratio=2")
    changed = changed_settings(folder, other)
    files = ", ".join(f'"{name}"' for name in corpus["valid"])
    assert changed["data.valid"] == f'[{files}] before, ["c", "d"] now'
    assert changed["data.max_length_ratio"] == "none before, 2.0 now"
