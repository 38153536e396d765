"""`seqcli curves`, on logs that are written as a training writes them."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from seqcli.api.curves import QUANTITIES, training_curves
from seqcli.cli.curves import Metric
from seqcli.cli.main import main
from seqcli.errors import ConfigError
from seqcli.training.log import LOG, TrainingLog
from seqcli.training.report import Progress, QuietReporter, Validation, ValidationReport


def write_log(
    folder: Path, *, losses: list[float], scores: list[float], metric: str = "BLEU"
) -> str:
    """A step for each loss; the scores follow, at the last step and those after it."""
    (folder / "training").mkdir(parents=True)
    (folder / "training" / LOG).touch()
    log = TrainingLog(folder / "training" / LOG, QuietReporter())
    for step, loss in enumerate(losses, start=1):
        log.progress(Progress(1, 9, step, 90, loss, 1000.0 + step, step / 1000, 0.5 * step, 60.0))
    for epoch, score in enumerate(scores, start=1):
        log.validated(
            ValidationReport(
                Validation(metric, score, "nrefs:1"),
                epoch=epoch,
                step=len(losses) + epoch - 1,
                best_score=max(scores[:epoch]),
                is_best=score > max(scores[: epoch - 1], default=-1.0),
                validations_since_best=0,
                seconds=1.0,
            )
        )
    return str(folder)


@pytest.fixture
def run(tmp_path: Path) -> str:
    return write_log(tmp_path / "run", losses=[8.0, 6.5, 5.0], scores=[20.0, 31.25, 30.5])


@pytest.fixture
def other(tmp_path: Path) -> str:
    return write_log(tmp_path / "other", losses=[7.0, 4.0], scores=[25.0])


def test_by_default_loss_and_score_are_drawn_with_their_last_and_best_values(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["curves", run]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    loss, score = printed.out.rstrip("\n").split("\n\n")
    assert loss.startswith("training loss, nats a target, by step\n")
    assert loss.endswith(f"{run}: 5 at step 3")
    assert score.startswith("validation BLEU, by step\n")
    assert score.endswith(f"{run}: 30.5 at step 5, best 31.25 at step 4")
    assert max(map(len, loss.splitlines()[:-1])) == 60
    assert "\x1b" not in printed.out


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("loss", [8.0, 6.5, 5.0]),
        ("score", [20.0, 31.25, 30.5]),
        ("rate", [0.001, 0.002, 0.003]),
        ("speed", [1001, 1002, 1003]),
        ("gradient", [0.5, 1.0, 1.5]),
    ],
)
def test_json_and_csv_hold_the_values_that_were_logged(
    run: str, metric: str, values: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["curves", run, "--metric", metric, "--format", "json"]) == 0
    (curve,) = json.loads(capsys.readouterr().out)["curves"]
    assert (curve["model"], curve["quantity"]) == (run, metric)
    assert [point["value"] for point in curve["points"]] == values
    assert main(["curves", run, "--metric", metric, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["value"]) for row in rows] == values
    assert {(row["model"], row["metric"]) for row in rows} == {(run, metric)}
    assert [int(row["step"]) for row in rows] == [point["step"] for point in curve["points"]]


def test_several_runs_share_a_chart_each_with_its_line_in_the_legend(
    run: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["curves", run, other, run, "--metric", "loss"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [f"a {run}: 5 at step 3", f"b {other}: 4 at step 2"]
    assert {letter for line in lines[1:-4] for letter in line.split("│")[1]} == {"a", "b", " "}
    assert lines[1].startswith("8 │")
    assert lines[-5].startswith("4 │")


def test_scores_of_different_metrics_have_a_chart_each(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagger = write_log(tmp_path / "tagger", losses=[1.0], scores=[90.0], metric="accuracy")
    assert main(["curves", run, tagger, "--metric", "score"]) == 0
    charts = capsys.readouterr().out.split("\n\n")
    assert [chart.splitlines()[0] for chart in charts] == [
        "validation BLEU, by step",
        "validation accuracy, by step",
    ]


def test_a_model_has_the_same_letter_in_all_charts(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagger = write_log(tmp_path / "tagger", losses=[1.0], scores=[90.0], metric="accuracy")
    assert main(["curves", run, tagger]) == 0
    loss, *scores = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert [line[0] for line in loss.splitlines()[-2:]] == ["a", "b"]
    for chart, letter, model in zip(scores, "ab", (run, tagger), strict=True):
        assert chart.splitlines()[-1].startswith(f"{letter} {model}: ")
        drawn = {sign for line in chart.splitlines()[1:-3] for sign in line.partition("│")[2]}
        assert drawn - {" "} == {letter}


def test_after_a_change_of_the_metric_the_curve_is_that_of_the_last_one(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Path(run, "training", LOG)
    *before, last = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*before, last.replace("BLEU", "chrF2").replace("30.5", "55.5")]))
    assert main(["curves", run, "--metric", "score", "--format", "json"]) == 0
    (curve,) = json.loads(capsys.readouterr().out)["curves"]
    assert curve["title"] == "validation chrF2"
    assert [point["value"] for point in curve["points"]] == [55.5]
    assert curve["best"] is None


@pytest.mark.parametrize(
    ("variable", "colored"), [("", True), ("NO_COLOR=1", False), ("TERM=dumb", False)]
)
def test_a_terminal_gets_colours_unless_they_are_refused(
    run: str,
    other: str,
    variable: str,
    colored: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if variable:
        monkeypatch.setenv(*variable.split("="))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["curves", run, other]) == 0
    assert ("\x1b[36m" in capsys.readouterr().out) == colored


@pytest.mark.parametrize("ending", [".png", ".svg", ".json", ".csv", ".txt"])
def test_a_file_is_of_the_kind_that_its_ending_names(
    run: str, other: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"curves{ending}"
    assert main(["curves", run, other, "-o", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    content = path.read_bytes()
    if ending == ".png":
        assert content.startswith(b"\x89PNG")
    elif ending == ".svg":
        assert ElementTree.fromstring(content).tag.endswith("svg")
    elif ending == ".json":
        assert len(json.loads(content)["curves"]) == 4
    elif ending == ".csv":
        assert content.count(b"\n") == 1 + 3 + 2 + 3 + 1
    else:
        assert content.decode().startswith("training loss")


def test_a_figure_of_many_runs_and_one_point_each_is_drawn(tmp_path: Path) -> None:
    runs = [
        write_log(tmp_path / f"run-{number}", losses=[1.0], scores=[1.0]) for number in range(8)
    ]
    assert main(["curves", *runs, "-o", str(tmp_path / "curves.svg")]) == 0


def test_a_score_before_the_first_validation_is_left_out_or_named_as_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    young = write_log(tmp_path / "young", losses=[8.0], scores=[])
    assert main(["curves", young]) == 0
    assert "validation" not in capsys.readouterr().out
    assert main(["curves", young, "--metric", "score"]) == 1
    error = capsys.readouterr().err
    assert f"the log of {young} has nothing of: score" in error
    assert "fix: Try again later" in error


def test_a_line_cut_off_by_a_power_cut_is_left_out_with_a_warning(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Path(run, "training", LOG)
    log.write_bytes(log.read_bytes()[:-30])
    assert main(["curves", run, "--metric", "score", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1 + 2
    assert f"warning: {log}: line 6 is damaged and left out" in printed.err


def test_faults_are_told_in_words(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_log(tmp_path / "empty", losses=[], scores=[])
    bare = tmp_path / "bare"
    bare.mkdir()
    for arguments, status, message in (
        ([str(bare)], 1, f"{bare} has no log of its training"),
        ([run, empty], 1, f"the log of {empty} has nothing of: loss, score"),
        ([str(tmp_path / "nowhere")], 1, "there is no model"),
        ([run, "-o", "curves.pdf"], 2, ".csv"),
        ([run, "-o", "curves.png", "--format", "csv"], 2, "does not go with"),
        ([run, "--metric", "los"], 2, "--metric"),
        ([], 2, "MODEL"),
    ):
        assert main(["curves", *arguments]) == status
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.out == ""
        assert "Traceback" not in printed.err


def test_the_command_offers_all_that_the_function_knows_and_no_more(run: str) -> None:
    assert get_args(Metric) == QUANTITIES
    with pytest.raises(ConfigError, match="did you mean 'speed'"):
        training_curves([run], ["spead"])
