import dataclasses
import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from seqcli.cli import training_display
from seqcli.cli.main import main
from seqcli.cli.train import _display
from seqcli.cli.training_display import (
    LineReporter,
    LiveReporter,
    QuietReporter,
    progress_values,
    validation_lines,
)
from seqcli.training.launch import SET_BY_TORCHRUN
from seqcli.training.report import Progress, Sample, Validation, ValidationReport

PROGRESS = Progress(
    epoch=2,
    epochs=9,
    step=30,
    total_steps=90,
    nats_per_token=2.0,
    tokens_per_second=1234.5,
    learning_rate=0.00125,
    gradient_norm=0.5,
    seconds_left=3725.4,
)
VALIDATION = Validation("BLEU", 21.456, "nrefs:1", Sample("[b]ein", "[a] one", "a"))
REPORT = ValidationReport(
    VALIDATION,
    epoch=2,
    step=30,
    best_score=23.5,
    is_best=False,
    validations_since_best=3,
    seconds=1.26,
)


TINY = (
    "tokenizer.kind=characters",
    "tokenizer.byte_fallback=false",
    "model.embedding_size=4",
    "model.encoder.size=4",
    "model.decoder.size=8",
    "training.epochs=1",
)


def write_pairs(folder: Path, *, sources: int = 8, targets: int = 8) -> list[str]:
    paths = [folder / "a.de", folder / "a.en"]
    paths[0].write_text("abc\n" * sources)
    paths[1].write_text("xyz\n" * targets)
    return [str(path) for path in paths]


def test_progress_shows_the_perplexity_of_the_loss() -> None:
    values = dict(progress_values(PROGRESS))
    assert values["epoch"] == "2/9"
    assert values["loss"] == "2.000 nats/token"
    assert float(values["perplexity"]) == pytest.approx(math.exp(2), abs=0.05)
    assert values["tokens/s"] == "1,234"
    assert values["left"] == "1:02:05"


def test_a_validation_shows_how_it_compares_and_a_sample() -> None:
    first, *sample = validation_lines(REPORT)
    assert first == ("epoch 2  step 30  BLEU 21.46 (best 23.50, 3 without a new best)  1.3 s")
    assert sample == ["  source      [b]ein", "  hypothesis  [a] one", "  reference   a"]


def test_a_log_has_a_progress_line_now_and_then_and_one_at_the_end_of_each_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(training_display.time, "monotonic", lambda: now[0])
    reporter = LineReporter()
    for epoch, steps in ((1, {10: 0.0, 20: 1.0, 30: 9.0, 40: 11.0, 50: 12.0}), (2, {60: 13.0})):
        for step, now[0] in steps.items():
            reporter.progress(dataclasses.replace(PROGRESS, epoch=epoch, step=step))
        reporter.validated(REPORT)
        reporter.validated(REPORT)
    printed = capsys.readouterr()
    assert printed.out == ""
    shown = [
        line.split("step ")[1].split()[0] for line in printed.err.splitlines() if "  step" in line
    ]
    validations = ["30"] * 2
    assert shown == ["10/90", "40/90", "50/90", *validations, "60/90", *validations]


def test_the_live_display_shows_text_as_it_is_and_the_best_score() -> None:
    console = Console(record=True, width=160, file=io.StringIO(), force_terminal=True)
    with Live(console=console, auto_refresh=False) as live:
        reporter = LiveReporter(live)
        reporter.message("about [bold]nothing[/bold] :smile:")
        reporter.validated(REPORT)
        reporter.progress(dataclasses.replace(PROGRESS, metric="bleu", best_score=23.5))
        live.refresh()
    console.file.close()
    text = console.export_text()
    assert "about [bold]nothing[/bold] :smile:" in text
    assert "[a] one" in text
    assert "bleu 23.50" in text


def test_a_resumed_training_shows_its_best_score_before_it_validates() -> None:
    console = Console(record=True, width=160, file=io.StringIO(), force_terminal=True)
    with Live(console=console, auto_refresh=False) as live:
        reporter = LiveReporter(live)
        reporter.progress(dataclasses.replace(PROGRESS, metric="loss", best_score=1.23449))
        live.refresh()
        reporter.progress(PROGRESS)
        live.refresh()
    console.file.close()
    assert "loss 1.2345" in (text := console.export_text())
    assert "none yet" in text


def test_a_loss_has_digits_enough_to_tell_it_from_the_best() -> None:
    validation = dataclasses.replace(VALIDATION, metric="loss", score=1.2344, sample=None)
    report = dataclasses.replace(REPORT, validation=validation, best_score=1.2341)
    assert "loss 1.2344 (best 1.2341, 3" in validation_lines(report)[0]


def test_a_mean_of_checkpoints_that_a_message_has_told_of_is_not_told_again() -> None:
    assert validation_lines(dataclasses.replace(REPORT, of_mean=True)) == []


@pytest.mark.parametrize("unit", ["label", "tag", "token"])
def test_a_loss_is_told_in_what_the_model_predicts(unit: str) -> None:
    values = dict(progress_values(dataclasses.replace(PROGRESS, unit=unit)))
    assert values["loss"] == f"2.000 nats/{unit}"
    assert values[f"{unit}s/s"] == "1,234"


def test_one_stray_variable_of_torchrun_does_not_silence_a_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in SET_BY_TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    shown = {"quiet": False, "tensorboard": tmp_path}
    monkeypatch.setenv("RANK", "1")
    assert _display(**shown) == shown
    for name in SET_BY_TORCHRUN - {"RANK"}:
        monkeypatch.setenv(name, "2")
    assert _display(**shown) == {"quiet": True, "tensorboard": None}


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with training_display.training_display(quiet=True) as reporter:
        assert isinstance(reporter, QuietReporter)
        reporter.message("a")
        reporter.progress(PROGRESS)
        reporter.validated(REPORT)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--set", "model.drop_out=0.1"], 2, "did you mean 'dropout'?"),
        (["--set", "model.dropout=high"], 2, "model.dropout must be a number"),
        (["--set", "training.epochs=0"], 2, "training.epochs must be greater than 0"),
        (["--resume", "--overwrite"], 2, "--resume and --overwrite do not go together"),
        (["--override"], 2, "--override goes with --resume alone"),
        (["--threads", "0"], 2, "--threads"),
        (["--valid", "missing.de", "missing.en"], 1, "cannot read missing.de"),
        (["nowhere.toml"], 2, "there is no recipe 'nowhere.toml'"),
    ],
)
def test_a_fault_is_shown_in_words_with_its_status(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    message: str,
) -> None:
    files = write_pairs(tmp_path)
    model = tmp_path / "model"
    assert main(["train", "-o", str(model), "--train", *files, *options]) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert not model.exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--seeds", "1,2"]])
def test_a_folder_that_cannot_be_written_is_told_before_text_is_looked_for(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    command = ["train", "-o", "/proc/self/model", "--train", "missing.de", "missing.en", *options]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "error: cannot write to the folder /proc/self: " in printed.err
    assert "missing" not in printed.err
    assert printed.out == ""


def test_files_of_different_length_are_named_with_their_lengths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_pairs(tmp_path, sources=3, targets=4)
    assert main(["train", "-o", str(tmp_path / "model"), "--train", *files]) == 1
    assert f"{files[0]} has 3 lines but {files[1]} has 4" in capsys.readouterr().err


def test_without_files_it_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "-o", str(tmp_path / "model")]) == 2
    assert "--train SOURCE TARGET" in capsys.readouterr().err


def test_an_existing_folder_is_refused_with_the_ways_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_pairs(tmp_path)
    assert main(["train", "-o", str(tmp_path), "--train", *files]) == 1
    error = capsys.readouterr().err
    assert "exists already" in error
    assert "--resume" in error
    assert "--overwrite" in error


def test_a_dry_run_prints_each_fact_on_a_line_and_needs_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = write_pairs(tmp_path)
    assert (
        main(["train", "--train", *files, "--valid", *files, "--device", "cpu", "--dry-run"]) == 0
    )
    printed = capsys.readouterr()
    assert printed.err.startswith("pairs that repeat an earlier one: 7 of 8 (87.5%)\n")
    rows = [line.split("  ", 1) for line in printed.out.splitlines()]
    told = {name: text.strip() for name, text in rows}
    assert told["pairs"] == "8 to train on, 8 to validate on"
    assert {"encoder path", "decoder path", "parameters", "FLOPs", "precision"} <= told.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.de", "a.en"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "there is no folder to write the model to"),
        (["--dry-run", "--resume"], "--resume does not go with --dry-run"),
        (["--dry-run", "--override"], "--override does not go with --dry-run"),
        (["--dry-run", "--tensorboard", "runs"], "--tensorboard does not go with --dry-run"),
    ],
)
def test_a_folder_is_asked_for_and_a_dry_run_goes_on_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["train", "--train", *write_pairs(tmp_path), *options]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "\n  fix: " in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        (["--max-time", "30m"], "training.max_minutes=60"),
        (["--seed", "0"], "seed=2"),
        (["--seeds", "1,2"], " seed = 2"),
        (["--arch", "seq2seq"], "architecture=tagger"),
        (["--train-tsv", "a.tsv"], "data.train=b.tsv"),
        (["--valid", "a", "b"], "data.valid=c,d"),
        (["--test-text", "a"], "data.test=c"),
        (["--target-vectors", "a"], "data.target_vectors=b"),
    ],
)
def test_a_setting_that_is_given_by_an_option_and_by_set_is_refused(
    capsys: pytest.CaptureFixture[str], option: list[str], setting: str
) -> None:
    assert main(["train", *option, "--set", setting, "-o", "model"]) == 2
    key = setting.partition("=")[0].strip()
    assert f"{option[0]} does not go with --set {key}" in capsys.readouterr().err
    assert not Path("model").exists()


@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_the_scores_of_a_test_go_to_standard_output_and_nothing_else_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    files, model = write_pairs(tmp_path), tmp_path / "model"
    for setting in TINY:
        options = [*options, "--set", setting]
    sets = [part for name in ("--train", "--valid", "--test") for part in (name, *files)]
    assert main(["train", "-o", str(model), *sets, *options, "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    scores = json.loads((model / "model.json").read_text())["scores"]
    assert printed.out.splitlines() == [
        f"test {score['name']} {score['value']:.2f}  {score['signature']}"
        for score in scores
        if score["set"] == "test"
    ]
    assert printed.out
    assert printed.out.splitlines()[0] not in printed.err
    assert bool(printed.err) is ("--quiet" not in options)


def test_a_model_is_trained_from_pretrained_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, vectors = write_pairs(tmp_path), tmp_path / "vectors.txt"
    vectors.write_text("a 1 2 3 4\nx 5 6 7 8\n")
    options = [part for setting in TINY for part in ("--set", setting)]
    for side in ("source", "target"):
        options += [f"--{side}-vectors", str(vectors)]
    model = tmp_path / "model"
    assert main(["train", "-o", str(model), "--train", *files, *options, "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert f"source vectors: 2 of 10 pieces found in {vectors}\n" in printed.err
    assert f"pieces found in {vectors}, 2 of them set by the source vectors" in printed.err
    recipe = json.loads((model / "model.json").read_text())["recipe"]
    assert recipe["data"]["target_vectors"] == str(vectors)


def test_vectors_of_another_size_name_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("a 1 2 3 4\n")
    options = ["--train", *write_pairs(tmp_path), "--source-vectors", str(vectors)]
    assert main(["train", "-o", str(tmp_path / "model"), *options]) == 2
    error = capsys.readouterr().err
    assert "data.source_vectors has vectors of 4 values" in error
    assert "fix: Set model.embedding_size to 4" in error
