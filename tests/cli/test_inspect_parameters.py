"""`seqcli inspect parameters` through the door, with a tiny model of random weights."""

from pathlib import Path

import pytest

from seqcli.bundle import read_facts
from seqcli.cli.main import main
from tests.inspection.models import save, untrained_model

COMMAND = ["inspect", "parameters", "model"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the model."""
    monkeypatch.chdir(tmp_path)
    save(untrained_model(), Path("model"))


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*COMMAND, *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_parameters_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = output_of(capsys).splitlines()
    total = read_facts(Path("model")).parameters
    assert lines[0].split() == ["name", "shape", "parameters", "share", "float32", "stored"]
    assert "  = source_embedding.weight" in lines[3]
    assert lines[3].split()[-1] == "tied"
    assert "encoder.stack.layers.0.forwards.lstm" in {line.split()[0] for line in lines}
    assert lines[-1].split() == [
        "total",
        f"{total:,}",
        "100.0%",
        *[f"{total * 4 / 1e3:,.1f}", "kB"] * 2,
    ]


def test_a_row_of_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    """A layer of 3 units that reads 4: four gates, two matrices and two biases."""
    lines = [line.split() for line in output_of(capsys).splitlines()]
    place = next(i for i, line in enumerate(lines) if line[0].endswith("0.forwards.lstm"))
    assert [line[:-5] for line in lines[place : place + 5]] == [
        ["encoder.stack.layers.0.forwards.lstm", str(12 * (4 + 3 + 2))],
        ["weight_ih_l0", "12", "x", "4", "48"],
        ["weight_hh_l0", "12", "x", "3", "36"],
        ["bias_ih_l0", "12", "12"],
        ["bias_hh_l0", "12", "12"],
    ]


def test_a_figure_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_of(capsys, "-o", "a.svg") == ""
    assert Path("a.svg").read_bytes().startswith(b"<?xml")
