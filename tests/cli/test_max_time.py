import json
from pathlib import Path

import pytest

from seqcli.cli import train as command
from seqcli.cli.main import main
from seqcli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "minutes"), [("90s", 1.5), ("30m", 30), ("1h30m", 90), ("1.5h", 90), ("1h1m30s", 61.5)]
)
def test_a_time_is_read_in_minutes(text: str, minutes: float) -> None:
    (setting,) = command._time_limit(text)
    name, value = setting.split("=")
    assert name == "training.max_minutes"
    assert float(value) == minutes


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "-5m", "1d", "30m1h", "half an hour"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time") as raised:
        command._time_limit(text)
    assert "1h30m" in raised.value.fix


def test_a_training_out_of_time_leaves_a_model_and_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"{' '.join('abcdefg'[: 2 + n % 6])}\n" for n in range(30))
    (tmp_path / "text").write_text(lines)
    text, model = str(tmp_path / "text"), tmp_path / "model"
    arguments = ["train", "--train", text, text, "--valid", text, text, "-o", str(model)]
    for setting in (
        "tokenizer.kind=characters",
        "tokenizer.vocabulary_size=none",
        "model.embedding_size=8",
        "model.encoder.size=8",
        "model.decoder.size=8",
        "training.batch_tokens=60",
        "training.epochs=2",
        "training.precision=float32",
        "evaluation.metric=loss",
    ):
        arguments += ["--set", setting]
    assert main([*arguments, "--max-time", "0.01s"]) == 0
    assert "the time is over after step 1, in epoch 1; go on with" in capsys.readouterr().err
    assert json.loads((model / "model.json").read_text())["scores"][0]["name"] == "loss"
    assert main([*arguments, "--resume"]) == 0
    said = capsys.readouterr().err
    assert "going on where the training was stopped" in said
    assert "another training.max_minutes" not in said
    assert "epoch 2 " in said
