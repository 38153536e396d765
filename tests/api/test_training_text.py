"""What a training makes of the text that its recipe names, from whatever files it comes."""

import errno
import gzip
import os
from pathlib import Path

import msgspec
import pytest

from seqcli.api.train import dry_run
from seqcli.api.training_text import read_training_text
from seqcli.bundle import TRAINING, read_bundle
from seqcli.data import epochs, preparation
from seqcli.data.prepared_folder import PREPARED, preparing
from seqcli.data.rows import RowsWriter
from seqcli.errors import ConfigError, DataError, OutputError
from seqcli.experiment import RECIPES, Recipe
from seqcli.tasks.classification import ClassificationTask
from seqcli.tasks.translation import TranslationTask
from seqcli.training.interruption import Interrupted
from tests.api.trainings import (
    Corpus,
    Recorder,
    ask_to_stop_at,
    contents,
    corpus_for,
    recipe_of,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

ONE_EPOCH = "training.epochs=1"


def weights_of(folder: Path) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in read_bundle(folder).weights.items()}


def lines_of(corpus: Corpus, name: str) -> tuple[list[str], list[str]]:
    source, target = (Path(path).read_text().splitlines() for path in corpus[name])
    return source, target


def table_of(corpus: Corpus, name: str, file: Path) -> str:
    content = "".join(f"{s}\t{t}\n" for s, t in zip(*lines_of(corpus, name), strict=True)).encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return str(file)


def recipe_with(corpus: Corpus, *assignments: str, **files: tuple[str, ...]) -> Recipe:
    """As `recipe_of`, with other files than pairs."""
    named = [f"data.{name}={','.join(paths)}" for name, paths in files.items()]
    return recipe_of(corpus, *named, *assignments)


def messages_of(folder: Path, recipe: Recipe) -> list[str]:
    recorder = Recorder()
    train_at(folder, recipe, recorder)
    return recorder.messages


def test_tables_and_parts_of_a_corpus_give_the_model_that_the_whole_pair_gives(
    tmp_path: Path, corpus: Corpus
) -> None:
    """A pair of files; a table; a packed table and a pair, one after the other."""
    first, second = tmp_path / "first.tsv.gz", (tmp_path / "second.de", tmp_path / "second.en")
    whole = table_of(corpus, "train", tmp_path / "whole.tsv")
    rows = Path(whole).read_text().splitlines()
    first.write_bytes(gzip.compress("\n".join(rows[:15]).encode()))
    for side, path in enumerate(second):
        path.write_text("".join(row.split("\t")[side] + "\n" for row in rows[15:]))
    valid = table_of(corpus, "valid", tmp_path / "valid.tsv")
    train_at(tmp_path / "pair", recipe_of(corpus, ONE_EPOCH))
    train_at(tmp_path / "table", recipe_with(corpus, ONE_EPOCH, train=(whole,), valid=(valid,)))
    parts = (str(first), *map(str, second))
    train_at(tmp_path / "parts", recipe_with(corpus, ONE_EPOCH, train=parts, test=(valid,)))
    assert weights_of(tmp_path / "table") == weights_of(tmp_path / "pair")
    # Several corpora go round each by itself, which with a weight of 1 makes no difference either.
    assert weights_of(tmp_path / "parts") == weights_of(tmp_path / "pair")


def test_the_lines_that_are_held_out_are_the_same_for_each_seed(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of({"train": corpus["train"]})
    texts = []
    for seed in (1, 2):
        with preparing(tmp_path / f"{seed}") as prepared:
            seeded = msgspec.structs.replace(recipe, seed=seed)
            text = read_training_text(seeded, TranslationTask, prepared, Recorder())
            texts.append((text.validation, [list(side) for side in text.stored.kept_lines]))
    assert texts[0] == texts[1]
    sources, _ = lines_of(corpus, "train")
    (held_out, _), (learned, _) = texts[0]
    assert len(held_out) == 2
    assert sorted([*held_out, *learned]) == sorted(sources)


def test_an_unknown_label_is_told_with_file_and_line_wherever_it_comes_from(
    tmp_path: Path, corpus: Corpus
) -> None:
    """In the second of two files to validate on, and among the lines that are held out."""
    labelled = corpus_for("classifier", corpus)
    table = tmp_path / "second.tsv"
    table.write_text("abc\ta\nabc\tunseen\n")
    by_loss = "evaluation.metric=loss"
    files = {**labelled, "valid": (*labelled["valid"], str(table))}
    with pytest.raises(DataError, match=r"second\.tsv, line 2: the label 'unseen' is not in the"):
        train_at(tmp_path / "model", recipe_of(files, by_loss, architecture="classifier"))
    text, labels = map(Path, labelled["train"])
    recipe = recipe_of({"train": labelled["train"]}, by_loss, architecture="classifier")
    with preparing(tmp_path / "prepared") as prepared:
        read = read_training_text(recipe, ClassificationTask, prepared, Recorder())
    number = text.read_text().splitlines().index(read.validation[0][1])
    lines = ["a", "b"] * 20
    lines[number] = "unseen"
    labels.write_text("".join(f"{label}\n" for label in lines))
    message = rf"train\.source, line {number + 1}: the label 'unseen'"
    with pytest.raises(DataError, match=message):
        train_at(tmp_path / "model", recipe)


def test_a_weight_says_how_often_a_corpus_is_seen(tmp_path: Path, corpus: Corpus) -> None:
    """Twice by weight is twice by name; the order of the batches differs."""
    twice = (*corpus["train"], *corpus["train"])
    steps = []
    for number, how in enumerate(({"train": twice}, {"weights": ("2",)}, {"weights": ("0.5",)})):
        recorder = Recorder()
        recipe = recipe_with(corpus, ONE_EPOCH, "data.subword_sampling=0", **how)
        train_at(tmp_path / f"{number}", recipe, recorder)
        steps.append(recorder.validations[-1].step)
    assert steps[0] == pytest.approx(steps[1], abs=2)  # another text gives another tokenizer
    assert steps[1] == pytest.approx(4 * steps[2], abs=3)


def test_what_is_left_out_is_told_with_the_key_of_its_rule(tmp_path: Path, corpus: Corpus) -> None:
    extra = [
        ("", "abc"),
        ("abc " * 300, "cba " * 300),
        ("abc abc abc abc", "a"),
        tuple(lines[0] for lines in lines_of(corpus, "train")),
    ]
    for side, path in enumerate(corpus["train"]):
        with Path(path).open("a") as file:
            file.writelines(f"{pair[side]}\n" for pair in extra)
    settings = (ONE_EPOCH, "data.max_length_ratio=3", "data.drop_duplicates=true")
    messages = messages_of(tmp_path / "skip", recipe_of(corpus, *settings))
    assert "40 training pairs" in messages
    assert (
        "left out: 1 pair with an empty side, 1 with more than 200 tokens (data.max_length), 1 "
        "beyond a length ratio of 3 (data.max_length_ratio), 1 that repeat another "
        "(data.drop_duplicates)" in messages
    )
    messages = messages_of(tmp_path / "cut", recipe_of(corpus, ONE_EPOCH, "data.too_long=cut"))
    assert "43 training pairs" in messages
    assert "left out: 1 pair with an empty side" in messages
    assert "cut: 1 pair to 200 tokens (data.too_long)" in messages
    told = dry_run(recipe_of(corpus, ONE_EPOCH, "data.too_long=cut"), device="cpu")
    assert told["left out"] == "1 pair with an empty side"
    assert told["cut"] == "1 pair to 200 tokens (data.too_long)"


def test_blank_lines_are_left_out_like_empty_ones(tmp_path: Path, corpus: Corpus) -> None:
    models = []
    for name, line in (("empty", ""), ("blank", " \t\u3000")):
        for path in corpus["train"]:
            lines = Path(path).read_text().splitlines()
            Path(path).write_text("".join(f"{each}\n" for each in [line, *lines[-40:]]))
        recorder = Recorder()
        train_at(tmp_path / name, recipe_of(corpus, ONE_EPOCH), recorder)
        assert "40 training pairs" in recorder.messages
        assert any("left out: 1 pair with an empty side" in each for each in recorder.messages)
        models.append(weights_of(tmp_path / name))
    assert models[0] == models[1]


def test_nothing_usable_is_refused_with_the_count_of_each_reason(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "data.max_length=2")
    Path(corpus["train"][0]).write_text("\n" + "abc def\n" * 39)
    with pytest.raises(DataError) as raised:
        train_at(tmp_path / "model", recipe)
    assert raised.value.what == (
        "none of the 40 pairs can be used: 1 pair with an empty side, 39 with more than 2 tokens "
        "(data.max_length)"
    )
    assert not (tmp_path / "model").exists()


def test_a_batch_can_be_of_so_many_rows(tmp_path: Path, corpus: Corpus) -> None:
    recorder = Recorder()
    recipe = recipe_of(corpus, ONE_EPOCH)
    by_rows = msgspec.structs.replace(recipe.training, batch_sentences=8)
    recipe = msgspec.structs.replace(recipe, training=by_rows)
    train_at(tmp_path / "model", recipe, recorder)
    assert recorder.validations[-1].step == 5
    assert "training: 1 epoch, batches of 8 pairs" in recorder.messages


def test_a_training_resumed_among_many_shards_equals_one_that_was_not_stopped(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "SHARD", 12)
    recipe = recipe_with(corpus, weights=("1.3",))
    recorder = Recorder()
    train_at(tmp_path / "whole", recipe, recorder)
    batches = recorder.validations[0].step
    for stop in (batches // 2, batches + 3):
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(Interrupted):
            train_at(folder, recipe, Recorder(ask_to_stop_at(stop)))
        train_at(folder, recipe, resume=True)
        assert weights_of(folder) == weights_of(tmp_path / "whole")


@pytest.mark.parametrize("architecture", RECIPES)
def test_a_preparation_that_was_killed_goes_on_with_the_same_command(
    architecture: str, tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "CHUNK", 7)
    appended: list[int] = []
    was_killed: list[bool] = []
    append = RowsWriter.append

    def counting(self: RowsWriter, rows: list[list[int]]) -> None:
        if len(appended) == 7 and not was_killed:
            was_killed.append(True)
            raise KeyboardInterrupt
        appended.append(len(rows))
        append(self, rows)

    folder = tmp_path / "model"
    recipe = recipe_of(corpus_for(architecture, corpus), ONE_EPOCH, architecture=architecture)
    monkeypatch.setattr(RowsWriter, "append", counting)
    with pytest.raises(KeyboardInterrupt):
        train_at(folder, recipe)
    assert (folder / TRAINING / PREPARED).is_dir()
    appended.clear()
    train_at(folder, recipe)
    assert appended == [7, 7, 7, 7, 5, 5]  # source and target of the last three chunks
    train_at(tmp_path / "whole", recipe)
    assert weights_of(folder) == weights_of(tmp_path / "whole")


def test_a_finished_preparation_is_used_when_a_training_is_resumed(
    tmp_path: Path, corpus: Corpus
) -> None:
    folder, recipe = tmp_path / "model", recipe_of(corpus)
    with pytest.raises(Interrupted):
        train_at(folder, recipe, Recorder(ask_to_stop_at(2)))
    prepared = folder / TRAINING / PREPARED
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    assert sorted(path.name.partition("-")[0] for path in prepared.iterdir()) == ["ids", "text"]
    train_at(folder, recipe, resume=True)
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_that_fills_up_at_any_moment_leaves_things_as_they_were(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """The text takes six waits for the disk, its ids five more; then the old model goes."""
    folder, recipe = tmp_path / "model", recipe_of(corpus, ONE_EPOCH)
    if overwrite:
        train_at(folder, recipe_with(corpus, ONE_EPOCH, train=corpus["train"][::-1]))
    before = contents(folder)
    fsync, left = os.fsync, 0

    def fail_later(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail_later)
    for calls in range(11 if overwrite else 14):
        left = calls
        with pytest.raises(OutputError, match="No space left on device"):
            train_at(folder, recipe, overwrite=overwrite)
        assert contents(folder) == before
    monkeypatch.undo()
    train_at(folder, recipe, overwrite=overwrite)


@pytest.mark.parametrize(
    ("files", "content", "message"),
    [
        ("train", b"a b\tb a\nc d\n", r"text\.tsv, line 2: there is no tab"),
        ("valid", b"a\tb\tc\n", r"text\.tsv, line 1: there are 2 tabs"),
        ("test", "a\tb\nc\té".encode()[:-1], r"text\.tsv, line 2: not UTF-8"),
        ("train", gzip.compress(b"a\tb\n" * 999)[:-9], r"text\.tsv is a broken gzip file.* line "),
    ],
)
def test_a_fault_in_a_table_is_told_with_file_and_line(
    tmp_path: Path, corpus: Corpus, files: str, content: bytes, message: str
) -> None:
    table = tmp_path / "text.tsv"
    table.write_bytes(content)
    recipe = recipe_with(corpus, **{files: (str(table),)})
    before = contents(tmp_path)
    for attempt in (lambda: train_at(tmp_path / "model", recipe), lambda: dry_run(recipe)):
        with pytest.raises(DataError, match=message):
            attempt()
        assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "data.weights=1,2",
            "the numbers in data.weights are 2, but the corpora in data.train are 1",
        ),
        ("data.weights=-1", "data.weights"),
        ("data.too_long=cutt", "data.too_long .*did you mean"),
        ("data.max_length_ratio=0.5", "data.max_length_ratio must be a number from 1"),
        ("training.batch_sentences=-1", "training.batch_sentences"),
        ("data.train=a,b,c", "data.train must name pairs of files"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    corpus: Corpus, assignment: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_of(corpus, assignment)


@pytest.mark.parametrize("ratio", ["inf", "nan", "0"])
def test_a_ratio_that_is_none_is_answered_with_how_to_have_none(corpus: Corpus, ratio: str) -> None:
    with pytest.raises(ConfigError) as raised:
        recipe_of(corpus, f"data.max_length_ratio={ratio}")
    assert "where any ratio is good, leave it out" in raised.value.fix
    assert recipe_of(corpus, "data.max_length_ratio=none").data.max_length_ratio is None


def test_one_pair_that_is_held_out_is_told_as_one(tmp_path: Path, corpus: Corpus) -> None:
    for path in corpus["train"]:
        Path(path).write_text("".join(Path(path).read_text().splitlines(keepends=True)[:2]))
    characters = ("tokenizer.kind=characters", "tokenizer.vocabulary_size=none")
    settings = (ONE_EPOCH, *characters, "data.subword_sampling=0")
    recipe = recipe_of({"train": corpus["train"]}, *settings)
    messages = messages_of(tmp_path / "model", recipe)
    assert "no validation set was given: 1 random training pair is held out" in messages
    assert "1 training pair" in messages
