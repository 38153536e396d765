"""`seqcli inspect gates` and `parameters`: what they print, write and refuse."""

import json
from pathlib import Path

import msgspec
import pytest

from seqcli.bundle import read_facts, write_facts
from seqcli.cli.inspect import figures
from seqcli.cli.inspect.gate_text import statistics_as_text, trace_as_text
from seqcli.cli.main import main
from seqcli.inspection.gate_statistics import GateStatistics, GateSummary, LayerSummary
from seqcli.inspection.gates import GateTrace, UnitTrace, trace_gates
from seqcli.inspection.loading import load_seq2seq
from tests.inspection.folders import SENTENCE, TEXT, write_folder


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_folder(tmp_path / "tiny"))


@pytest.fixture
def text_file(tmp_path: Path) -> str:
    path = tmp_path / "text"
    path.write_text("".join(f"{line}\n" for line in TEXT))
    return str(path)


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(["inspect", *arguments])
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    return captured.out


def test_parameters_are_a_table(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = output_of(capsys, "parameters", model).splitlines()
    total = read_facts(Path(model)).parameters
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


def test_a_row_of_parameters(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer of 4 units that reads 6: four gates, two matrices and two biases."""
    lines = [line.split() for line in output_of(capsys, "parameters", model).splitlines()]
    place = next(i for i, line in enumerate(lines) if line[0].endswith("0.forwards.lstm"))
    assert [line[:-5] for line in lines[place : place + 5]] == [
        ["encoder.stack.layers.0.forwards.lstm", str(16 * (6 + 4 + 2))],
        ["weight_ih_l0", "16", "x", "6", "96"],
        ["weight_hh_l0", "16", "x", "4", "64"],
        ["bias_ih_l0", "16", "16"],
        ["bias_hh_l0", "16", "16"],
    ]


TRACE = GateTrace(
    part="encoder",
    layer=2,
    direction="backward",
    cell="lstm",
    tokens=["▁ab", "음", "</s>"],
    gates=["input"],
    units=[
        UnitTrace(unit=7, values={"input": [0.0, 0.5, 1.0], "cell": [-2.0, 0.0, 1.0]}),
        UnitTrace(unit=10, values={"input": [0.1, 0.2, 0.9], "cell": [0.0, 0.0, 0.0]}),
    ],
)


def test_a_trace_is_drawn_with_blocks_below_its_tokens() -> None:
    assert trace_as_text(TRACE) == (
        "encoder layer 2, backward, lstm\n"
        "                  <\n"
        "              ▁   /\n"
        "              a   s\n"
        "              b 음>\n"
        "unit 7  input ▁▁▅▅██  0.00 to 1.00\n"
        "        cell  ▁▁▅▅▇▇  -2.00 to 1.00\n"
        "unit 10 input ▁▁▂▂██  0.10 to 0.90\n"
        "        cell  ▅▅▅▅▅▅  0.00 to 0.00"
    )


def test_statistics_are_two_tables() -> None:
    layer = LayerSummary(
        layer=1,
        direction="forward",
        gates=[
            GateSummary(
                gate="forget",
                mean=0.75,
                standard_deviation=0.25,
                share_shut=0.01,
                share_open=0.5,
            )
        ],
        magnitudes={"cell": 1.5, "hidden": 0.25},
        memory_tokens=3.476,
    )
    found = GateStatistics(
        part="decoder", cell="lstm", sentences=1200, tokens=34567, layers=[layer]
    )
    assert statistics_as_text(found) == (
        "decoder, lstm: 1,200 sentences, 34,567 tokens\n"
        "\n"
        "layer  direction  gate     mean  deviation  below 0.1  above 0.9\n"
        "1      forward    forget  0.750      0.250       1.0%      50.0%\n"
        "\n"
        "layer  direction  mean |cell|  mean |hidden|      memory\n"
        "1      forward          1.500          0.250  3.5 tokens"
    )


def test_gates_of_a_sentence_are_printed(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_gates(load_seq2seq(model), SENTENCE, layer=2, direction="backward", units=[3, 0])
    out = output_of(
        capsys,
        *("gates", model, "--text", SENTENCE, "--layer", "2"),
        *("--direction", "backward", "--units", "3,0,3"),
    )
    assert out == trace_as_text(trace) + "\n"


def test_gates_of_a_decoder_and_its_target_as_json(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = output_of(
        capsys,
        *("gates", model, "--text", SENTENCE, "--part", "decoder", "--target", "dogs"),
        *("--most-varying", "2", "--format", "json"),
    )
    found = json.loads(out)
    assert found["tokens"] == ["<s>", "▁dogs"]
    assert [len(unit["values"]["forget"]) for unit in found["units"]] == [2, 2]


def test_gates_of_a_file_as_json(
    model: str, text_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(output_of(capsys, "gates", model, text_file, "--format", "json"))
    assert (found["part"], found["sentences"]) == ("encoder", len(TEXT))
    assert found["tokens"] == sum(len(line.split()) + 1 for line in TEXT)
    assert [(layer["layer"], layer["direction"]) for layer in found["layers"]] == [
        (1, "forward"),
        (1, "backward"),
        (2, "forward"),
        (2, "backward"),
    ]


@pytest.mark.parametrize(
    ("cell", "ending"), [("lstm", ".svg"), ("gru", ".png"), ("rnn-tanh", ".svg")]
)
def test_figures_are_written_for_all_that_is_shown(
    cell: str, ending: str, tmp_path: Path, text_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "model", f"model.encoder.cell={cell}", "model.bridge=dense")
    commands = {
        "trace": ("gates", str(folder), "--text", "a $ man"),
        "statistics": ("gates", str(folder), text_file),
        "parameters": ("parameters", str(folder)),
    }
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}[ending]
    for name, command in commands.items():
        path = tmp_path / f"{name}{ending}"
        assert output_of(capsys, *command, "-o", str(path)) == ""
        assert path.read_bytes().startswith(start)


def test_the_ending_of_the_file_decides_what_is_written(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = {
        ".txt": output_of(capsys, "parameters", model),
        ".json": output_of(capsys, "parameters", model, "--format", "json"),
    }
    for ending, text in printed.items():
        path = tmp_path / f"table{ending}"
        assert output_of(capsys, "parameters", model, "-o", str(path)) == ""
        assert path.read_text(encoding="utf-8") == text


def test_a_statistical_model_has_no_gates(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(model)
    write_facts(folder, msgspec.structs.replace(read_facts(folder), architecture="phrase"))
    assert main(["inspect", "gates", model, "--text", "dogs"]) == 1
    err = capsys.readouterr().err
    assert "is no neural network" in err
    assert "a statistical model has no gates" in err


@pytest.mark.parametrize(
    ("options", "status", "what"),
    [
        ((), 2, "there is neither a sentence nor a file"),
        (("text", "--text", "dogs"), 2, "there is both a sentence and a file, text"),
        (("text", "--layer", "1"), 2, "--layer cannot go with a file"),
        (("--text", "dogs", "--target", "dogs"), 2, "--target does not go with --part encoder"),
        (
            ("--text", "dogs", "--units", "1", "--most-varying", "2"),
            2,
            "--units does not go with --most-varying",
        ),
        (("--text", "dogs", "--units", "1,x"), 2, "--units 1,x is no list of numbers"),
        (("--text", "dogs", "--units", "4"), 2, "the layer has no unit 4"),
        (("--text", "dogs", "--layer", "3"), 2, "the encoder has no layer 3"),
        (("--text", " "), 1, "the sentence is empty"),
        (("--text", "dogs " * 9 + "dogs"), 1, "the sentence has 10 tokens"),
        (("missing",), 1, "cannot read missing"),
        (("--text", "dogs", "-o", "a.pdf"), 2, "--output a.pdf does not say what to write"),
        (("--text", "dogs", "-o", "a"), 2, "--output a does not say what to write"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    options: tuple[str, ...],
    status: int,
    what: str,
    model: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "gates", model, *options]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error: {what}" in captured.err


@pytest.mark.parametrize("command", ["gates", "parameters"])
def test_the_ending_is_refused_before_the_model_is_looked_for(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--text", "dogs"] if command == "gates" else []
    assert main(["inspect", command, "no-such-model", *options, "-o", "a.pdf"]) == 2
    assert main(["inspect", command, "no-such-model", *options]) == 1
    assert "there is no model 'no-such-model'" in capsys.readouterr().err


def test_without_matplotlib_a_figure_is_refused_and_text_is_not(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    assert main(["inspect", "parameters", model, "-o", "a.png"]) == 2
    assert "pip install 'seqcli[report]'" in capsys.readouterr().err
    assert output_of(capsys, "parameters", model)
