"""`seqcli tag` through the door, and what scores and refuses its models."""

import json
from pathlib import Path

import pytest

from seqcli.api.label import load_tagger
from seqcli.cli.main import main
from seqcli.evaluation import METRICS
from tests.cli.labellers import SENTENCES, train_at, write_pairs

LINES = ["dogs bark", "", "the\tman  barks", "dogs see the man"]
TAGS = ["NOUN VERB", "", "DET NOUN VERB", "NOUN VERB DET NOUN"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_at(tmp_path_factory.mktemp("tag"), "tagger", SENTENCES)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder where LINES are the file `source`."""
    monkeypatch.chdir(tmp_path)
    Path("source").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")


def test_each_word_gets_its_tag_and_an_empty_line_none(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", model, "source"]) == 0
    assert capsys.readouterr() == ("".join(f"{tags}\n" for tags in TAGS), "")


def test_other_formats_have_the_log_probability_of_all_tags(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [answer.hypotheses[0].score for answer in load_tagger(model).translate(LINES)]
    assert main(["tag", model, "source", "--format", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[4] for row in rows] == TAGS
    assert [float(row[3]) for row in rows] == pytest.approx(expected, abs=1e-5)
    assert main(["tag", model, "source", "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["hypotheses"][0]["score"] for value in objects] == pytest.approx(expected)


def test_eval_scores_it_by_what_suits_tags(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {**SENTENCES, "men bark": "NOUN NOUN"}
    texts, labels = write_pairs(Path(), wrong)
    predicted = list(SENTENCES.values())
    assert main(["eval", model, "--source", texts, "--reference", labels, "--width", "4"]) == 0
    score = METRICS["token-accuracy"]().compute(predicted, [list(wrong.values())])
    expected = f"{score.name} {score.value:.4f}  {score.signature}\n"  # no tag begins a span
    assert capsys.readouterr().out == expected


def test_other_commands_refuse_it_and_name_the_right_one(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("translate", "classify"):
        assert main([command, model, "source"]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "is for tagging, not for " in shown.err
        assert "`seqcli tag`" in shown.err


def test_faults_in_the_tags_are_told_with_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    pair = write_pairs(Path(), {"a b": "X Y", "c d e": "X Y"})
    assert main(["train", "--set", "architecture=tagger", "--train", *pair, "-o", "m"]) == 1
    shown = capsys.readouterr().err
    assert "line 2: " in shown
    assert "3 words" in shown
    assert "2 tags" in shown
    assert not Path("m").exists()


def test_eval_tells_of_references_with_another_number_of_tags(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, labels = write_pairs(Path(), SENTENCES)
    assert main(["eval", model, "--source", texts, "--reference", labels]) == 0
    assert "another number of tags" not in capsys.readouterr().err
    few = Path("few")
    few.write_text("NOUN\n" * len(SENTENCES))
    assert main(["eval", model, "--source", texts, "--reference", str(few)]) == 0
    longer = sum(len(tags.split()) != 1 for tags in SENTENCES.values())
    told = f"{longer} of {len(SENTENCES)} lines have another number of tags"
    assert told in " ".join(capsys.readouterr().err.split())
