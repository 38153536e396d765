"""`seqcli inspect` of models that read one text only, through the door."""

import json
from pathlib import Path

import pytest

from seqcli.cli.main import main
from tests.inspection.models import LABELS, READERS, SENTENCE, SOURCES, TAGS, save, untrained_model

OTHERS = (*READERS, "language-model")
PARTS = {"classifier": "encoder", "tagger": "encoder", "language-model": "decoder"}
TEXT = ["--source", "source"]
FILES = {
    "classifier": [*TEXT, "--reference", "labels"],
    "tagger": [*TEXT, "--reference", "tags"],
    "language-model": TEXT,
}

each_model = pytest.mark.parametrize("architecture", OTHERS)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a model of each architecture, named for it, and their text."""
    monkeypatch.chdir(tmp_path)
    for architecture in ("seq2seq", *OTHERS):
        save(untrained_model(architecture=architecture), Path(architecture))
    for name, lines in [("source", SOURCES), ("labels", LABELS), ("tags", TAGS)]:
        Path(name).write_text("".join(f"{line}\n" for line in lines))


@each_model
def test_each_command_writes_text_json_and_figures(
    architecture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = {
        "gates": ["--text", SENTENCE],
        "gradients": FILES[architecture],
        "parameters": [],
    }
    for command, options in commands.items():
        given = ["inspect", command, architecture, *options]
        assert main(given) == 0
        text, err = capsys.readouterr()
        assert err == ""
        if command != "parameters":
            assert PARTS[architecture] in text.splitlines()[0]
        assert main([*given, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)
        assert main([*given, "-o", f"{command}.svg"]) == 0
        assert Path(f"{command}.svg").read_bytes().startswith(b"<?xml")


@each_model
def test_gates_of_a_file_are_summed_up_over_all_its_tokens(
    architecture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "gates", architecture, *TEXT, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["part"], found["sentences"]) == (PARTS[architecture], len(SOURCES))
    assert found["tokens"] == sum(len(line.split()) + 1 for line in SOURCES)


@pytest.mark.parametrize(
    ("architecture", "lags", "layers"),
    [
        ("classifier", "loss of the label by the input k steps before the text's end", "the label"),
        ("tagger", "loss of a tag by the input k steps away", "all tags"),
        ("language-model", "loss of a token by the input k steps before", "the text"),
    ],
)
def test_gradients_say_of_what_loss_they_are(
    architecture: str, lags: str, layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", "gradients", architecture, *FILES[architecture]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{architecture}: {PARTS[architecture]}, {len(SOURCES)} sentences"
    assert lines[1].startswith(f"{lags}: x")
    assert any(line.startswith(f"loss of {layers} by the output of each") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        (["gates", "classifier", "--text", "ein", "--part", "decoder"], 2, "the model in classifi"),
        (["gates", "tagger", *TEXT, "--part", "decoder"], 2, "the model in tagger has no decoder"),
        (["gates", "language-model", *TEXT, "--part", "encoder"], 2, "the model in language-model"),
        (
            ["gates", "classifier", "--text", "ein", "--target", "a"],
            2,
            "--target does not go with --part encoder",
        ),
        (
            ["gates", "language-model", "--text", "ein", "--target", "a"],
            2,
            "the decoder of the model in language-model reads no target",
        ),
        (["gradients", "tagger", *FILES["tagger"], "--part", "decoder"], 2, "the model in tagger"),
        (["gradients", "classifier", *TEXT], 2, "Missing option '--reference'"),
        (
            ["gradients", "language-model", *FILES["tagger"]],
            2,
            "--reference does not go with a model for language-modeling",
        ),
        (
            ["gradients", "classifier", "tagger", *FILES["tagger"]],
            2,
            "models for classification and tagging cannot be compared",
        ),
        (
            ["gradients", "tagger", *FILES["classifier"]],
            1,
            "line 1: source has 3 words but labels has 1 tags",
        ),
        (["gradients", "classifier", *FILES["tagger"]], 1, "line 1: the label 'D N"),
        *(
            (["attention", architecture, "--text", "ein"], 1, f"the model in {architecture} has no")
            for architecture in OTHERS
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(
    arguments: list[str], status: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {what}")
    assert "\n  why: " in err
    assert "\n  fix: " in err
