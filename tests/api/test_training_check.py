"""What a training says of its text, compared with what a check of the files themselves finds."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqcli.api import training_check
from seqcli.api.check import check_files, load_tokenizers
from seqcli.api.train import dry_run
from seqcli.api.training_check import HINT, LEAST_SHARE
from seqcli.experiment import Recipe
from seqcli.training.interruption import Interrupted
from tests.api.trainings import (
    Corpus,
    Recorder,
    ask_to_stop_at,
    corpus_for,
    recipe_of,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

ONE_EPOCH = "training.epochs=1"


@pytest.fixture
def faulty(corpus: Corpus) -> Corpus:
    """The same with an empty line, a copy, a repetition, odd lengths and a line to validate on."""
    source, target = (Path(file).read_text().splitlines() for file in corpus["train"])
    held_out = [Path(file).read_text().splitlines()[0] for file in corpus["valid"]]
    for place, (one, other) in enumerate(
        [(" ", target[0]), (source[1], source[1]), (source[9], target[9]), ("a", "bcd " * 30)]
    ):
        source[place], target[place] = one, other
    source[4], target[4] = held_out
    for file, lines in zip(corpus["train"], (source, target), strict=True):
        Path(file).write_text("".join(f"{line}\n" for line in lines))
    return corpus


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each check of a text has read."""
    counts: list[int] = []
    check_text = training_check.check_text

    def counted(text: Any, **how: Any) -> Any:
        counts.append(len(text[0]))
        return check_text(text, **how)

    monkeypatch.setattr(training_check, "check_text", counted)
    return counts


def told(folder: Path, recipe: Recipe) -> list[str]:
    """The messages before the training itself is described."""
    recorder = Recorder()
    train_at(folder, recipe, recorder)
    described = re.compile(r"\d+ training (pairs|texts|sentences|lines)")
    end = next(n for n, text in enumerate(recorder.messages) if described.fullmatch(text))
    return recorder.messages[:end]


def test_a_training_tells_what_the_check_of_its_files_finds(tmp_path: Path, faulty: Corpus) -> None:
    messages = told(tmp_path / "model", recipe_of(faulty, ONE_EPOCH))
    report = check_files(
        faulty["train"], valid=faulty["valid"], tokenizers=load_tokenizers(str(tmp_path / "model"))
    )
    worth = [each for each in report.findings if each.share >= LEAST_SHARE]
    assert {each.rule for each in worth} >= {
        "empty",
        "copies",
        "duplicates",
        "length_ratio_characters",
        "valid_pairs",
        "valid_sources",
    }
    assert messages == [*(str(replace(each, lines=())) for each in worth), HINT.format("--fix")]


def test_a_dry_run_tells_the_same(tmp_path: Path, faulty: Corpus) -> None:
    recorder = Recorder()
    dry_run(recipe_of(faulty, ONE_EPOCH), reporter=recorder, device="cpu")
    assert recorder.messages == told(tmp_path / "model", recipe_of(faulty, ONE_EPOCH))


def test_of_a_clean_text_nothing_is_told(tmp_path: Path, corpus: Corpus) -> None:
    assert told(tmp_path / "model", recipe_of(corpus, ONE_EPOCH)) == []


def test_a_text_is_checked_once_and_again_when_anything_is_another(
    tmp_path: Path, faulty: Corpus, checks: list[int]
) -> None:
    recipe, folder = recipe_of(faulty, ONE_EPOCH), tmp_path / "model"
    first = Recorder(ask_to_stop_at(1))
    with pytest.raises(Interrupted):
        train_at(folder, recipe, first)
    resumed, again = Recorder(), Recorder()
    train_at(folder, recipe, resumed, resume=True)
    assert HINT.format("--fix") not in resumed.messages
    train_at(folder, recipe, again, overwrite=True)
    assert again.messages[:5] == first.messages[:5]
    assert checks == [40]
    more = (tmp_path / "model.other", tmp_path / "valid.other")
    for path, lines in zip(more, ("ab cd\n", "dc ba\n"), strict=True):
        path.write_text(lines)
    other = recipe_of({**faulty, "valid": (str(more[0]), str(more[1]))}, ONE_EPOCH)
    train_at(folder, other, overwrite=True)
    assert checks == [40, 40]


def test_lines_taken_out_of_the_text_are_compared_with_the_rest(
    tmp_path: Path, corpus: Corpus, checks: list[int]
) -> None:
    """Every pair stands there twice, so what is held out is also learned from."""
    for file in corpus["train"]:
        Path(file).write_text(Path(file).read_text() * 2)
    del corpus["valid"]
    messages = told(tmp_path / "model", recipe_of(corpus, ONE_EPOCH))
    assert checks == [76]  # of 80, where a twentieth is held out
    assert any(each.startswith("pairs of valid that are in the training") for each in messages)


@pytest.mark.parametrize("architecture", ["classifier", "tagger", "language-model"])
def test_labels_are_neither_compared_in_length_nor_cut_into_tokens(
    tmp_path: Path, corpus: Corpus, architecture: str
) -> None:
    files = corpus_for(architecture, corpus)
    for path in files["train"]:
        lines = Path(path).read_text().splitlines()
        lines[0] = lines[1]
        Path(path).write_text("".join(f"{line}\n" for line in lines))
    recipe = recipe_of(files, ONE_EPOCH, architecture=architecture)
    *findings, hint = told(tmp_path / "model", recipe)
    noun = "lines" if architecture == "language-model" else "pairs"
    assert findings == [f"{noun} that repeat an earlier one: 1 of 40 (2.5%)"]
    is_text_alone = architecture == "language-model"
    ways = "--fix-file" if is_text_alone else "--fix --max-length-ratio inf"
    assert hint == HINT.format(ways)


def test_unknown_tokens_are_told_with_their_rate(tmp_path: Path, corpus: Corpus) -> None:
    """A tokenizer of few words leaves most of a text out; that is not what `--fix` mends."""
    files = corpus_for("classifier", corpus)
    small = ("tokenizer.kind=words", "tokenizer.vocabulary_size=20", "data.subword_sampling=0")
    recipe = recipe_of(files, ONE_EPOCH, *small, architecture="classifier")
    messages = told(tmp_path / "model", recipe)
    tokenizer = load_tokenizers(str(tmp_path / "model"))["source"]
    lines = Path(files["train"][0]).read_text().splitlines()
    words = [word for line in lines for word in line.split()]
    unknown = sum(f"\u2581{word}" not in tokenizer.vocabulary for word in words)
    assert len(messages) == 1
    assert f": {unknown} of {len(words)} (" in messages[0]
    assert files["train"][0] in messages[0]
