"""An n-gram model is trained, imported, scored and asked to write, without torch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqcli.api.generate import generate_lines, load_generator
from seqcli.api.ngram import load_ngram
from seqcli.api.score import load_scorer, score_text
from seqcli.api.train_ngram import learn_ngram, train_ngram
from seqcli.bundle import Facts, read_facts
from seqcli.config import from_dict
from seqcli.errors import ConfigError, DataError, ModelError, OutputError, UsageError
from seqcli.smt.ngram_recipe import NgramDataConfig, NgramRecipe
from seqcli.text.line_scores import TextScore
from seqcli.tokenizers import TokenizerConfig
from seqcli.training.report import QuietReporter

LINES = ["a dog runs", "", "a dog sleeps", "two dogs run and a man reads", "a man runs"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


def train(text: Path, output: Path, *, overwrite: bool = False, **settings: Any) -> Facts:
    data = NgramDataConfig(train=(str(text),), valid=(str(text),), test=(str(text),))
    recipe = NgramRecipe(**{"data": data, "order": 3, **settings})
    return train_ngram(recipe, output, overwrite=overwrite)


def test_a_model_is_written_with_its_scores(text: Path, tmp_path: Path) -> None:
    facts = train(text, tmp_path / "model")
    assert facts == read_facts(tmp_path / "model")
    assert (facts.task, facts.architecture) == ("language-modeling", "ngram")
    total = TextScore()
    for line in score_text(load_scorer(str(tmp_path / "model")), str(text)):
        total = total.plus(line)
    assert [score.set for score in facts.scores] == ["validation", "test"]
    assert [score.value for score in facts.scores] == pytest.approx([total.perplexity] * 2)
    assert f"seqcli score {tmp_path / 'model'}" in (tmp_path / "model" / "README.md").read_text()
    assert facts.parameters == sum(load_ngram(str(tmp_path / "model")).model.sizes)


def test_a_model_of_an_arpa_file_is_the_one_it_was_written_from(text: Path, tmp_path: Path) -> None:
    tokenizer = TokenizerConfig(kind="whitespace")
    train(text, tmp_path / "old", tokenizer=tokenizer, write_arpa=True)
    arpa = str(tmp_path / "old" / "language_model.arpa.gz")
    facts = train(text, tmp_path / "new", arpa=arpa, data=NgramDataConfig())
    assert facts.recipe["order"] == 3
    assert not facts.scores
    old, new = (
        [line.log_probability for line in score_text(load_scorer(str(folder)), str(text))]
        for folder in (tmp_path / "old", tmp_path / "new")
    )
    assert new == pytest.approx(old, rel=1e-5)


def test_what_is_written_follows_the_settings(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "model")
    generator = load_generator(str(tmp_path / "model"), top_k=1, max_tokens=2)
    [line] = generate_lines(generator, 1)
    assert len(line.hypotheses[0].tokens) <= 2
    assert generator.max_tokens == 2


def test_nothing_is_replaced_where_the_text_is_unusable(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "model")
    before = {path: path.read_bytes() for path in (tmp_path / "model").glob("*.*")}
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(DataError):
        train(tmp_path / "empty.txt", tmp_path / "model", overwrite=True)
    with pytest.raises(DataError):
        train(tmp_path / "missing.txt", tmp_path / "model", overwrite=True)
    with pytest.raises(UsageError, match="nothing to train on"):
        train(text, tmp_path / "model", overwrite=True, data=NgramDataConfig())
    assert before == {path: path.read_bytes() for path in (tmp_path / "model").glob("*.*")}


def test_an_empty_text_to_test_on_is_refused(text: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    data = NgramDataConfig(train=(str(text),), test=(str(tmp_path / "empty.txt"),))
    with pytest.raises(DataError, match="empty"):
        train(text, tmp_path / "model", data=data)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("part", ["valid", "test"])
def test_text_to_score_is_looked_at_before_anything_is_learned(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, dry_run: bool
) -> None:
    def learn(*_: object, **__: object) -> None:
        raise AssertionError("learned in vain")

    monkeypatch.setattr("seqcli.api.train_ngram.train_tokenizer", learn)
    data = NgramDataConfig(**{"train": (str(text),), part: (str(tmp_path / "missing.txt"),)})
    recipe = NgramRecipe(data=data)
    with pytest.raises(DataError, match=r"missing\.txt"):
        learn_ngram(recipe, QuietReporter()) if dry_run else train_ngram(recipe, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_without_its_card_is_no_model(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("seqcli.api.train_ngram.write_card", fail)
    with pytest.raises(OutputError, match="full"):
        train(text, tmp_path / "model")
    assert list(tmp_path.iterdir()) == [text]


def test_the_card_names_the_text_that_was_used_and_no_other(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "old", data=NgramDataConfig(train=(str(text),)), write_arpa=True)
    card = (tmp_path / "old" / "README.md").read_text()
    assert f"- trained on: {text}\n" in card
    assert "validated on" not in card
    arpa = str(tmp_path / "old" / "language_model.arpa.gz")
    train(text, tmp_path / "new", arpa=arpa, data=NgramDataConfig(test=(str(text),)))
    card = (tmp_path / "new" / "README.md").read_text()
    assert f"- taken from: {arpa}\n" in card
    assert f"- tested on: {text}\n" in card
    assert "trained on" not in card
    assert "validated on" not in card


def test_the_settings_of_an_arpa_file_are_stored_and_others_refused(
    text: Path, tmp_path: Path
) -> None:
    train(text, tmp_path / "old", tokenizer=TokenizerConfig(kind="whitespace"), write_arpa=True)
    arpa = str(tmp_path / "old" / "language_model.arpa.gz")
    facts = train(text, tmp_path / "new", arpa=arpa, data=NgramDataConfig(), order=None)
    assert (facts.recipe["order"], facts.recipe["tokenizer"]["kind"]) == (3, "whitespace")
    again = from_dict(facts.recipe, NgramRecipe, origin="model.json")
    assert train_ngram(again, tmp_path / "again").vocabulary == facts.vocabulary
    for settings, what in (
        ({"order": 5}, "order is 5, but .* up to order 3"),
        ({"tokenizer": TokenizerConfig(kind="words")}, "kind cannot be 'words'"),
    ):
        with pytest.raises(ConfigError, match=what):
            train(text, tmp_path / "no", arpa=arpa, data=NgramDataConfig(), **settings)


def test_words_and_orders_are_chosen_and_stored_where_nothing_is_said(
    text: Path, tmp_path: Path
) -> None:
    facts = train_ngram(NgramRecipe(data=NgramDataConfig(train=(str(text),))), tmp_path / "model")
    assert (facts.recipe["order"], facts.recipe["tokenizer"]["kind"]) == (5, "words")
    assert facts.recipe["tokenizer"]["min_frequency"] == 2


def test_options_without_effect_are_refused_by_name(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "model")
    with pytest.raises(UsageError, match="--batch has no effect"):
        load_generator(str(tmp_path / "model"), batch_sentences=2)
    with pytest.raises(UsageError, match="--threads has no effect"):
        load_generator(str(tmp_path / "model"), threads=2)
    with pytest.raises(UsageError, match="--threads has no effect"):
        load_scorer(str(tmp_path / "model"), threads=1)


@pytest.mark.parametrize("part", ["ngrams/words.npy", "tokenizer.json", "model.json"])
def test_a_part_that_is_missing_or_of_another_model_is_refused(
    text: Path, tmp_path: Path, part: str
) -> None:
    train(text, tmp_path / "model")
    text.write_text("another text of other words")
    train(text, tmp_path / "other")
    (tmp_path / "model" / part).write_bytes((tmp_path / "other" / part).read_bytes())
    with pytest.raises(ModelError):
        load_ngram(str(tmp_path / "model"))
    (tmp_path / "model" / part).unlink()
    with pytest.raises(ModelError):
        load_ngram(str(tmp_path / "model"))


def test_arrays_of_another_vocabulary_are_refused(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "model")
    text.write_text("another text of other words, more than before, seen twice twice")
    train(text, tmp_path / "other", tokenizer=TokenizerConfig(kind="words"))
    for file in (tmp_path / "other" / "ngrams").iterdir():
        (tmp_path / "model" / "ngrams" / file.name).write_bytes(file.read_bytes())
    assert len(np.load(tmp_path / "model" / "ngrams" / "words.npy"))
    with pytest.raises(ModelError, match="vocabulary"):
        load_ngram(str(tmp_path / "model"))


def test_a_language_model_is_trained_scored_and_writes_without_torch(
    text: Path, tmp_path: Path
) -> None:
    train(text, tmp_path / "model")
    code = (
        "import sys, seqcli.api.train_ngram; from seqcli.cli.main import main;"
        f"main(['score', {str(tmp_path / 'model')!r}, {str(text)!r}]);"
        f"main(['generate', {str(tmp_path / 'model')!r}, '--number', '2']);"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert len(lines) == len(LINES) + 2 + 1
    assert lines[-1] == "False"
    assert "perplexity" in run.stderr
