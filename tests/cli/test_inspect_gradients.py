"""`seqcli inspect gradients` through the door, with tiny models of random weights."""

import json
import math
import os
from pathlib import Path

import msgspec
import pytest

from seqcli.cli.main import main
from seqcli.inspection.gradients import GradientFlow, GradientFlows, gradient_flow
from seqcli.inspection.loading import load_seq2seq
from tests.inspection.models import SOURCES, TARGETS, save, untrained_model

FILES = ["--source", "source", "--reference", "reference"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder with the text and two models, `plain` and `dense`."""
    monkeypatch.chdir(tmp_path)
    for name, lines in [("source", SOURCES), ("reference", TARGETS)]:
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for stack in ("plain", "dense"):
        settings = {"stack": stack, "size": 4, "layers": 2}
        save(untrained_model(encoder=settings, decoder=settings), Path(stack))


def flows_in(text: str) -> list[GradientFlow]:
    return msgspec.json.decode(text, type=GradientFlows).flows


def test_json_has_what_the_function_finds_for_each_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["inspect", "gradients", "plain", "dense", *FILES, "--format", "json"]
    assert main([*command, "--part", "encoder", "--sentences", "3"]) == 0
    out, err = capsys.readouterr()
    assert flows_in(out) == [
        gradient_flow(load_seq2seq(name), SOURCES, TARGETS, part="encoder", sentences=3, name=name)
        for name in ("plain", "dense")
    ]
    assert err == ""


def test_text_has_a_block_for_each_model_and_a_bar_that_is_as_long_as_the_norm_is_large(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "gradients", "plain", "dense", *FILES]) == 0
    blocks = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert main(["inspect", "gradients", "plain", "dense", *FILES, "--format", "json"]) == 0
    flows = flows_in(capsys.readouterr().out)
    for block, flow in zip(blocks, flows, strict=True):
        lines = block.split("\n")
        assert lines[0] == f"{flow.model}: decoder, 4 sentences"
        assert lines[1].endswith(f": x{flow.factor_per_step:.3g} a step")
        shown = {int(line.split()[1]): line.split()[2:] for line in lines if line[:2] == "k "}
        norms = {lag.lag: lag.norm for lag in flow.lags if lag.lag in (0, 1, 2, 3, 5, 8)}
        assert {lag: float(cells[0]) for lag, cells in shown.items()} == {
            lag: float(f"{norm:.3g}") for lag, norm in norms.items()
        }
        lengths = [len("".join(cells[1:])) for _, cells in sorted(shown.items())]
        logs = [math.log(norm) for _, norm in sorted(norms.items())]
        slope = (lengths[0] - lengths[-1]) / (logs[0] - logs[-1])
        for length, log in zip(lengths, logs, strict=True):
            assert length == pytest.approx(lengths[0] + slope * (log - logs[0]), abs=1.5)
        assert [line.split()[1] for line in lines if line.startswith("layer ")] == ["2", "1"]
        assert f": x{flow.lowest_to_top:.3g} from top to lowest" in block


def test_fresh_weights_are_named_and_drawn_by_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for options in ([], ["--untrained"], ["--untrained", "--seed", "2"]):
        assert main(["inspect", "gradients", "plain", *FILES, *options]) == 0
        outputs.append(capsys.readouterr().out)
        assert outputs[-1].startswith("plain (untrained): " if options else "plain: ")
    assert len({*outputs}) == 3
    assert main(["inspect", "gradients", "plain", *FILES, *options]) == 0
    assert capsys.readouterr().out == outputs[-1]


def test_a_relu_that_lets_nothing_through_has_norms_of_zero_and_no_factor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded = untrained_model(decoder={"cell": "rnn-relu", "size": 4}, input_feeding=False)
    for name, parameter in loaded.model.decoder.stack.named_parameters():
        if "bias" in name:
            parameter.fill_(-1e3)
    save(loaded, Path("dead"))
    for output in ("-", "dead.svg"):
        assert main(["inspect", "gradients", "dead", *FILES, "-o", output]) == 0
    out = capsys.readouterr().out
    assert "by the input k steps before: x? a step\nk   0  0\n" in out


@pytest.mark.parametrize("ending", [".png", ".svg", ".json", ".txt"])
def test_a_file_has_the_form_of_its_ending_and_the_same_bytes_each_time(
    ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if ending in (".png", ".svg"):
        pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        output = ["-o", f"{name}{ending}"]
        assert main(["inspect", "gradients", "plain", "dense", *FILES, *output]) == 0
    assert capsys.readouterr() == ("", "")
    content = Path(f"a{ending}").read_bytes()
    assert content == Path(f"b{ending}").read_bytes()
    if ending == ".json":
        assert [flow["model"] for flow in json.loads(content)["flows"]] == ["plain", "dense"]
    else:
        starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".txt": b"plain: decoder"}
        assert content.startswith(starts[ending])


def test_the_norms_of_a_figure_are_on_a_scale_of_logarithms() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from seqcli.cli.inspect.gradients import _draw

    flows = [
        gradient_flow(load_seq2seq(name), SOURCES, TARGETS, name=name)
        for name in ("plain", "dense")
    ]
    canvas = Figure()
    _draw(GradientFlows(flows), canvas)
    by_lag, by_layer = canvas.axes
    for axes in canvas.axes:
        assert axes.get_yscale() == "log"
        assert len(axes.lines) == len(flows)
        low, high = axes.get_ylim()
        for line in axes.lines:
            assert all(low <= norm <= high for norm in line.get_ydata())
    assert list(by_lag.lines[1].get_ydata()) == [lag.norm for lag in flows[1].lags]
    assert list(by_layer.lines[0].get_ydata()) == [layer.norm for layer in flows[0].layers]
    names = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert [name.split(",")[0] for name in names] == ["plain", "dense"]


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        (["plain", *FILES, "--seed", "2"], 2, "--seed makes no difference without --untrained"),
        (["plain", "--source", "-", "--reference", "-"], 2, "standard input can be read only"),
        (
            ["plain", *FILES, "--sentences", "0"],
            2,
            "Invalid value for '--sentences': Input should be greater than or equal to 1",
        ),
        (["plain", *FILES, "--part", "bridge"], 2, "Invalid value for '--part'"),
        (["plain", "--source", "source"], 2, "Missing option '--reference'"),
        ([*FILES], 2, "Missing argument 'MODEL"),
        (["plain", "gone", *FILES], 1, "there is no model 'gone'"),
        (["plain", "--source", "short", "--reference", "reference"], 1, "short has 1 line but "),
        (["plain", "--source", "none", "--reference", "none"], 1, "none is empty"),
        (["plain", "--source", "blank", "--reference", "short"], 1, "none of the 1 pairs can be"),
        (["plain", "--source", "lost", "--reference", "source"], 1, "cannot read lost"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_nothing_else(
    arguments: list[str], status: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in [("short", "ein\n"), ("none", ""), ("blank", "\n")]:
        Path(name).write_text(content)
    before = sorted(os.listdir())
    assert main(["inspect", "gradients", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {what}")
    assert sorted(os.listdir()) == before
