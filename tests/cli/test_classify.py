"""`seqcli classify` through the door, and what scores and refuses its models."""

import json
import math
from pathlib import Path

import pytest

from seqcli.api.label import load_classifier
from seqcli.api.systems import load_system
from seqcli.cli.main import main
from seqcli.evaluation import METRICS
from tests.cli.labellers import REVIEWS, SENTENCES, train_at, write_pairs

LINES = ["fine", "", "a dull , dull film", "film"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_at(tmp_path_factory.mktemp("classify"), "classifier", REVIEWS)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder where LINES are the file `source`."""
    monkeypatch.chdir(tmp_path)
    Path("source").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")


def test_each_line_gets_its_label_and_an_empty_one_none(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", model, "source"]) == 0
    assert capsys.readouterr() == ("good\n\nvery bad\nnot sure\n", "")


def test_what_was_learned_by_heart_is_told(model: str) -> None:
    predicted = [answer.text for answer in load_classifier(model).translate(REVIEWS)]
    assert predicted == list(REVIEWS.values())


def test_several_labels_come_with_their_log_probabilities(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", model, "source", "--nbest", "9", "--format", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    first = [row for row in rows if row[0] == "1"]
    assert {row[4] for row in first} == set(REVIEWS.values())
    assert sum(math.exp(float(row[3])) for row in first) == pytest.approx(1, abs=1e-4)
    assert [row for row in rows if row[0] == "2"] == [["2", "1", "0.000000", "0.000000", ""]]

    assert main(["classify", model, "source", "--nbest", "2", "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["source"] for value in objects] == LINES
    assert [label["text"] for label in objects[0]["hypotheses"]] == [row[4] for row in first[:2]]


def test_a_file_is_written_and_standard_output_stays_empty(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", model, "source", "-o", "labels"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("labels").read_text() == "good\n\nvery bad\nnot sure\n"


def test_several_labels_have_no_room_in_text(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", model, "source", "--nbest", "2"]) == 2
    assert "--nbest 2 does not fit --format text" in capsys.readouterr().err


def test_eval_scores_it_by_what_suits_labels(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**REVIEWS, "dull": "good"}
    texts, labels = write_pairs(Path(), wrong)
    predicted = list(REVIEWS.values())
    assert main(["eval", model, "--source", texts, "--reference", labels, "--width", "4"]) == 0
    expected = [
        METRICS[name]().compute(predicted, [list(wrong.values())])
        for name in ("accuracy", "macro-f1")
    ]
    assert capsys.readouterr().out.splitlines() == [
        f"{score.name} {score.value:.4f}  {score.signature}" for score in expected
    ]
    assert main(["eval", model, "--source", texts, "--reference", labels, "--metrics", "wer"]) == 0
    assert capsys.readouterr().out.startswith("WER 16.7")


def test_a_beam_makes_no_sense(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", model, "--source", "source", "--reference", "source", "--beam", "3"]
    assert main(arguments) == 2
    assert "a beam has no effect on a model for classification" in capsys.readouterr().err


def test_a_system_is_loaded_by_its_task(model: str) -> None:
    lines = [answer.text for answer in load_system(model).translate(LINES)]
    assert lines == [answer.text for answer in load_classifier(model).translate(LINES)]


def test_other_commands_refuse_it_and_name_the_right_one(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, task in [("translate", "translation"), ("tag", "tagging")]:
        assert main([command, model, "source"]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert f"is for classification, not for {task}" in shown.err
        assert "`seqcli classify`" in shown.err


def test_a_tagger_is_refused_by_classify(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("tagger")
    tagger = train_at(folder, "tagger", SENTENCES, "training.epochs=1")
    assert main(["classify", tagger, "source"]) == 1
    assert "`seqcli tag`" in capsys.readouterr().err


def test_faults_in_the_labels_are_told_with_their_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = write_pairs(Path(), {"a": "good", "b": " ", "c": "bad"})
    arguments = ["train", "--set", "architecture=classifier", "--train", *pair, "-o", "m"]
    assert main(arguments) == 1
    assert "labels, line 2: there is no label" in capsys.readouterr().err
    assert not Path("m").exists()
