"""`seqcli inspect attention` through the door, with a tiny model of random weights."""

import io
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from seqcli.cli.attention_drawing import draw_attention
from seqcli.cli.main import main
from seqcli.cli.translation_formats import pharaoh_alignment
from seqcli.inspection.attention import (
    AttentionMap,
    attentive_translator,
    by_words,
    forced_attention,
)
from seqcli.inspection.loading import LoadedModel, load_seq2seq
from tests.inspection.models import SOURCES, TARGETS, save, untrained_model

LINES = [SOURCES[0], "", SOURCES[3], " ", SOURCES[1]]
REFERENCES = [TARGETS[0], "a", TARGETS[3], "", ""]
SENTENCE = SOURCES[3]
COMMAND = ["inspect", "attention", "model"]


@pytest.fixture(autouse=True)
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """Work in an empty folder with the text and the model, which has pieces of one letter."""
    monkeypatch.chdir(tmp_path)
    for name, lines in [("source", LINES), ("reference", REFERENCES)]:
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return load_seq2seq(save(untrained_model(kind="characters"), Path("model")))


def best_source(found: AttentionMap) -> list[int]:
    return [max(range(len(row)), key=lambda place: row[place]) for row in found.weights]


def aligned(found: AttentionMap) -> str:
    return " ".join(f"{source}-{target}" for target, source in enumerate(best_source(found)))


class TestSentence:
    def test_text_is_the_drawing_of_the_models_own_translation(
        self, loaded: LoadedModel, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*COMMAND, "--text", SENTENCE]) == 0
        (translation,) = attentive_translator(loaded).translate([SENTENCE])
        best = translation.hypotheses[0]
        drawing = draw_attention(translation.source_tokens, best.tokens, best.attention)
        assert capsys.readouterr() == (f"{drawing}\n", "")

    @pytest.mark.parametrize("words", [False, True])
    def test_json_has_the_tokens_and_weights_of_a_given_target(
        self, words: bool, loaded: LoadedModel, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["--text", SENTENCE, "--target", TARGETS[3], "--format", "json"]
        assert main([*COMMAND, *given, *["--words"] * words]) == 0
        (expected,) = forced_attention(loaded, [SENTENCE], [TARGETS[3]])
        expected = by_words(expected) if words else expected
        assert msgspec.json.decode(capsys.readouterr().out, type=AttentionMap) == expected
        assert (expected.source_tokens == SENTENCE.split()) == words

    @pytest.mark.parametrize("ending", [".png", ".svg", ".json", ".txt"])
    def test_a_file_has_the_form_of_its_ending_and_the_same_bytes_each_time(
        self, ending: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if ending in (".png", ".svg"):
            pytest.importorskip("matplotlib")
        for name in ("a", "b"):
            assert main([*COMMAND, "--text", SENTENCE, "-o", f"{name}{ending}"]) == 0
        assert capsys.readouterr() == ("", "")
        content = Path(f"a{ending}").read_bytes()
        assert content == Path(f"b{ending}").read_bytes()
        starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".json": b"{\n", ".txt": b" "}
        assert content.startswith(starts[ending])

    def test_a_figure_has_a_cell_for_each_weight_and_a_label_for_each_token(
        self, loaded: LoadedModel
    ) -> None:
        pytest.importorskip("matplotlib")
        from matplotlib.figure import Figure

        from seqcli.cli.inspect.attention import _draw

        (found,) = map(by_words, forced_attention(loaded, [SENTENCE], [TARGETS[3]]))
        canvas = Figure()
        _draw(found, canvas)
        axes = canvas.axes[0]
        assert axes.images[0].get_array().tolist() == found.weights
        assert [label.get_text() for label in axes.get_xticklabels()] == SENTENCE.split()
        assert [label.get_text() for label in axes.get_yticklabels()] == TARGETS[3].split()


class TestFile:
    @pytest.mark.parametrize("words", [False, True])
    def test_there_is_an_alignment_for_each_line_and_an_empty_one_for_an_empty_line(
        self, words: bool, loaded: LoadedModel, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ["--source", "source", "--reference", "reference", *["--words"] * words]
        assert main([*COMMAND, *options]) == 0
        maps = list(forced_attention(loaded, LINES, REFERENCES))
        maps = [by_words(found) for found in maps] if words else maps
        out, err = capsys.readouterr()
        assert out == "".join(f"{aligned(found)}\n" for found in maps)
        assert [bool(line) for line in out.splitlines()] == [True, False, True, False, False]
        assert err == ""

    def test_without_a_reference_it_is_that_of_the_models_own_translation(
        self, loaded: LoadedModel, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*COMMAND, "--source", "source"]) == 0
        translations = list(attentive_translator(loaded).translate(LINES))
        lines = [pharaoh_alignment(found.hypotheses[0].attention) for found in translations]
        assert capsys.readouterr().out == "".join(f"{line}\n" for line in lines)
        assert (lines[1], lines[3]) == ("", "")

    def test_standard_input_is_read_as_a_file_is(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        outputs = []
        for source in ("source", "-"):
            stdin = io.TextIOWrapper(io.BytesIO(Path("source").read_bytes()))
            monkeypatch.setattr(sys, "stdin", stdin)
            assert main([*COMMAND, "--source", source, "--reference", "reference"]) == 0
            outputs.append(capsys.readouterr())
        assert outputs[0] == outputs[1]

    def test_json_has_an_object_on_each_line(
        self, loaded: LoadedModel, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = [*COMMAND, "--source", "source", "--reference", "reference"]
        assert main([*command, "--format", "json"]) == 0
        out = capsys.readouterr().out
        maps = [msgspec.json.decode(line, type=AttentionMap) for line in out.splitlines()]
        assert maps == list(forced_attention(loaded, LINES, REFERENCES))
        assert main([*command, "-o", "maps.json"]) == 0
        assert Path("maps.json").read_text(encoding="utf-8") == out
        assert json.loads(out.splitlines()[1])["weights"] == []

    def test_a_file_without_a_line_gives_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("none").write_text("")
        assert main([*COMMAND, "--source", "none"]) == 0
        assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        ([], 2, "there is neither a sentence nor a file"),
        (["--source", "source", "--text", "ein"], 2, "there is both a sentence and a file"),
        (["--source", "source", "--target", "a"], 2, "--target does not go with --source"),
        (["--text", "ein", "--reference", "reference"], 2, "--reference does not go with --text"),
        (["--source", "source", "-o", "a.png"], 2, "--output a.png does not go with --source"),
        (["--text", " "], 1, "there is no attention to draw"),
        (["--text", "ein", "--target", ""], 1, "there is no attention to draw"),
        (["--source", "source", "--reference", "short"], 1, "source has 5 lines but short has 1"),
        (["--source", "none", "--reference", "none"], 1, "none is empty"),
        (["--source", "-", "--reference", "-"], 2, "standard input can be read only once"),
        (["--source", "gone"], 1, "cannot read gone"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_nothing_else(
    arguments: list[str], status: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("short").write_text("a\n")
    Path("none").write_text("")
    before = sorted(os.listdir())
    assert main([*COMMAND, *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {what}")
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("arguments", [["--text", "ein"], ["--source", "source", "-o", "out.txt"]])
def test_a_model_without_attention_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    save(untrained_model(attention="none"), Path("bottleneck"))
    assert main(["inspect", "attention", "bottleneck", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: the model in bottleneck has no attention to show\n  why: ")
    assert "\n  fix: " in err
    assert not Path("out.txt").exists()
