import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from seqcli.cli import training_display
from seqcli.cli.main import main
from seqcli.cli.training_display import (
    LineReporter,
    LiveReporter,
    QuietReporter,
    progress_values,
    validation_lines,
)
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


def test_a_log_has_a_progress_line_now_and_then_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 1.0, 29.0, 31.0, 31.0, 32.0, 32.0])
    monkeypatch.setattr(training_display.time, "monotonic", lambda: next(clock))
    reporter = LineReporter()
    steps = [10, 20, 30, 40, 90]
    for step in steps:
        reporter.progress(
            Progress(2, 9, step, 90, 2.0, 1000.0, 0.001, 0.5, 5.0),
        )
    printed = capsys.readouterr()
    assert printed.out == ""
    shown = [line.split("step ")[1].split("/")[0] for line in printed.err.splitlines()]
    assert shown == ["10", "40", "90"]


def test_the_live_display_shows_text_as_it_is_and_the_best_score() -> None:
    console = Console(record=True, width=160, file=io.StringIO(), force_terminal=True)
    with Live(console=console, auto_refresh=False) as live:
        reporter = LiveReporter(live)
        reporter.message("about [bold]nothing[/bold] :smile:")
        reporter.validated(REPORT)
        reporter.progress(PROGRESS)
        live.refresh()
    console.file.close()
    text = console.export_text()
    assert "about [bold]nothing[/bold] :smile:" in text
    assert "[a] one" in text
    assert "BLEU 23.50" in text


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
    assert printed.err == ""
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


def test_a_model_is_trained_from_pretrained_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, vectors = write_pairs(tmp_path), tmp_path / "vectors.txt"
    vectors.write_text("a 1 2 3 4\nx 5 6 7 8\n")
    settings = [
        "tokenizer.kind=characters",
        "tokenizer.byte_fallback=false",
        "model.embedding_size=4",
        "model.encoder.size=4",
        "model.decoder.size=8",
        "training.epochs=1",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
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
