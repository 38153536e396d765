"""What all commands of `seqcli inspect` have in common."""

from pathlib import Path

import msgspec
import pytest

from seqcli.bundle import read_facts, write_facts
from seqcli.cli.inspect import figures
from seqcli.cli.main import main
from tests.inspection.models import SENTENCE, SOURCES, TARGETS, save, untrained_model

COMMANDS = {
    "gates": ["--text", SENTENCE],
    "gradients": ["--source", "source", "--reference", "reference"],
    "attention": ["--text", SENTENCE, "--target", TARGETS[0]],
    "parameters": [],
}

each_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the model and the text."""
    monkeypatch.chdir(tmp_path)
    save(untrained_model(), Path("model"))
    for name, lines in [("source", SOURCES), ("reference", TARGETS)]:
        Path(name).write_text("".join(f"{line}\n" for line in lines))


def inspect(command: str, *options: str, model: str = "model") -> int:
    return main(["inspect", command, model, *COMMANDS[command], *options])


def test_each_command_says_in_a_whole_line_what_it_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "--help"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line]
    about = {words[0]: words[1] for words in lines if words[0] in COMMANDS}
    assert list(about) == list(COMMANDS)
    for text in about.values():
        assert text.startswith("Show ")
        assert text.endswith(".")
        assert not text.endswith("..")


@each_command
def test_the_ending_of_the_file_decides_what_is_written(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending, options in ((".txt", []), (".json", ["--format", "json"])):
        assert inspect(command, *options) == 0
        out, err = capsys.readouterr()
        for given in ([], options):
            assert inspect(command, *given, "--quiet", "-o", f"a{ending}") == 0
            assert capsys.readouterr() == ("", err) == ("", "")
            assert Path(f"a{ending}").read_text(encoding="utf-8") == out


@each_command
@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-o", "a.pdf"], "--output a.pdf does not say what to write"),
        (["-o", "a"], "--output a does not say what to write"),
        (["-o", "a.txt", "--format", "json"], "--format json does not go with --output a.txt"),
        (["-o", "a.png", "--format", "text"], "--format text does not go with --output a.png"),
    ],
)
def test_a_file_of_another_kind_is_refused_before_the_model_is_looked_for(
    command: str, options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(command, *options, model="no-such-model") == 2
    assert capsys.readouterr().err.startswith(f"error: {what}\n")


@each_command
@pytest.mark.parametrize("ending", [".txt", ".json", ".svg"])
def test_a_file_that_cannot_be_written_is_an_error_before_the_model_is_looked_for(
    command: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(f"folder{ending}")
    folder.mkdir()
    places = {f"gone/a{ending}": "there is no folder gone", str(folder): "Is a directory"}
    for output, what in places.items():
        assert inspect(command, "-o", output, model="no-such-model") == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: cannot write {output}: {what}\n  fix: ")
    assert sorted(Path().iterdir()) == sorted(
        map(Path, [str(folder), "model", "reference", "source"])
    )


@each_command
def test_a_model_that_is_not_there_is_an_error(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(command, model="no-such-model") == 1
    assert "there is no model 'no-such-model'" in capsys.readouterr().err


@each_command
def test_a_statistical_model_has_nothing_to_look_into(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("model")
    write_facts(folder, msgspec.structs.replace(read_facts(folder), architecture="phrase"))
    assert inspect(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "is no neural network" in err


def test_without_matplotlib_a_figure_is_refused_and_text_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    assert inspect("parameters", "-o", "a.png") == 2
    assert "pip install 'seqcli[report]'" in capsys.readouterr().err
    assert inspect("parameters") == 0
