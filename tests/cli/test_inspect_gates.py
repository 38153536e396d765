"""`seqcli inspect gates` through the door, with a tiny model of random weights."""

import json
from pathlib import Path

import pytest

from seqcli.cli.inspect.gate_text import statistics_as_text, trace_as_text
from seqcli.cli.main import main
from seqcli.inspection.gate_statistics import GateStatistics, GateSummary, LayerSummary
from seqcli.inspection.gates import GateTrace, UnitTrace, trace_gates
from seqcli.inspection.loading import load_seq2seq
from tests.inspection.models import MOST_TOKENS, SENTENCE, SOURCES, save, untrained_model

COMMAND = ["inspect", "gates", "model"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the model and the file `source`."""
    monkeypatch.chdir(tmp_path)
    save(untrained_model(), Path("model"))
    Path("source").write_text("".join(f"{line}\n" for line in SOURCES))


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*COMMAND, *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


TRACE = GateTrace(
    model="tiny",
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
        "tiny: encoder layer 2, backward, lstm\n"
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
        model="tiny", part="decoder", cell="lstm", sentences=1200, tokens=34567, layers=[layer]
    )
    assert statistics_as_text(found) == (
        "tiny: decoder, lstm, 1,200 sentences, 34,567 tokens\n"
        "\n"
        "layer  direction  gate     mean  deviation  below 0.1  above 0.9\n"
        "1      forward    forget  0.750      0.250       1.0%      50.0%\n"
        "\n"
        "layer  direction  mean |cell|  mean |hidden|      memory\n"
        "1      forward          1.500          0.250  3.5 tokens"
    )


def test_gates_of_a_sentence_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_gates(
        load_seq2seq("model"), SENTENCE, layer=2, direction="backward", units=[2, 0]
    )
    out = output_of(
        capsys,
        *("--text", SENTENCE, "--layer", "2"),
        *("--direction", "backward", "--units", "2,0,2"),
    )
    assert out == trace_as_text(trace) + "\n"


def test_gates_of_a_decoder_and_its_target_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = output_of(
        capsys,
        *("--text", SENTENCE, "--part", "decoder", "--target", "dog"),
        *("--most-varying", "2", "--format", "json"),
    )
    found = json.loads(out)
    assert found["tokens"] == ["<s>", "▁dog"]
    assert [len(unit["values"]["forget"]) for unit in found["units"]] == [2, 2]


def test_gates_of_a_file_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(output_of(capsys, "--source", "source", "--format", "json"))
    assert (found["part"], found["sentences"]) == ("encoder", len(SOURCES))
    assert found["tokens"] == sum(len(line.split()) + 1 for line in SOURCES)
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
    cell: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(cell)
    save(untrained_model(f"model.encoder.cell={cell}", "model.bridge=dense"), folder)
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}[ending]
    for command in (["--text", "ein $ Hund"], ["--source", "source"]):
        path = folder / f"figure{ending}"
        assert main(["inspect", "gates", str(folder), *command, "-o", str(path)]) == 0
        assert capsys.readouterr() == ("", "")
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("options", "status", "what"),
    [
        ((), 2, "there is neither a sentence nor a file"),
        (("--source", "source", "--text", "Hund"), 2, "there is both a sentence and a file"),
        (("--source", "source", "--layer", "1"), 2, "--layer does not go with --source"),
        (("--text", "Hund", "--target", "Hund"), 2, "--target does not go with --part encoder"),
        (
            ("--text", "Hund", "--units", "1", "--most-varying", "2"),
            2,
            "--most-varying does not go with --units",
        ),
        (
            ("--text", "Hund", "--units", "3"),
            2,
            "the layer has no unit 3\n  fix: Choose units from 0 to 2",
        ),
        (("--text", "Hund", "--layer", "3"), 2, "the encoder has no layer 3"),
        (("--text", " "), 1, "the sentence is empty"),
        (("--text", "Hund " * MOST_TOKENS + "Hund"), 1, "the sentence has 10 tokens"),
        (("--source", "missing"), 1, "cannot read missing"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    options: tuple[str, ...],
    status: int,
    what: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*COMMAND, *options]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error: {what}" in captured.err


@pytest.mark.parametrize("units", ["1,x", "-1", "1,-2", "", "1,,2", "1.5", "0-2", "9" * 5000])
def test_units_that_are_none_are_refused_with_what_they_may_be(
    units: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--text", "Hund", "--units", units]) == 2
    assert capsys.readouterr() == (
        "",
        f"error: --units {units} is no list of units\n"
        "  why: a layer of N units numbers them from 0 to N - 1\n"
        "  fix: Write whole numbers with commas between, like 0,3,7\n",
    )
