"""`seqcli translate` through the door, with a tiny model that has learned to end its output."""

import io
import json
import os
import select
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from seqcli.api.train import train
from seqcli.api.translate import load_translator
from seqcli.bundle import read_facts
from seqcli.cli.attention_drawing import draw_attention
from seqcli.cli.main import main
from seqcli.cli.training_display import QuietReporter
from seqcli.decoding import search
from seqcli.decoding.quantize import int8_works
from seqcli.experiment import resolve_recipe
from seqcli.translator import Hypothesis, Translation

SOURCES = ["ein Hund rennt", "zwei Hunde", "ein Mann rennt", "eine Frau liest ein Buch"]
TARGETS = ["a dog runs", "two dogs", "a man runs", "a woman reads a book"]
LINES = ["ein Hund liest", "", "zwei Frau", "ein Mann rennt ein Buch", "rennt"]
SIZES = ["embedding_size=16", "encoder.size=16", "encoder.layers=1", "decoder.size=32"]
SETTINGS = [
    "tokenizer.kind=words",
    "training.epochs=25",
    "training.learning_rate=0.02",
    "training.batch_tokens=12",
    "training.warmup_steps=0",
    "evaluation.metric=loss",
    "decoding.max_source_length=50",
    "model.dropout=0",
    "model.word_dropout=0",
    *(f"model.{size}" for size in SIZES),
]


def train_at(folder: Path, *settings: str) -> str:
    for name, lines in [("de", SOURCES), ("en", TARGETS)]:
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pair = (str(folder / "de"), str(folder / "en"))
    files = {"train": pair, "valid": pair}
    recipe = resolve_recipe(None, files=files, assignments=[*SETTINGS, *settings])
    train(recipe, folder / "model", reporter=QuietReporter(), device="cpu")
    return str(folder / "model")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_at(tmp_path_factory.mktemp("translate"))


@pytest.fixture(scope="module")
def bottleneck(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model without attention."""
    folder = tmp_path_factory.mktemp("bottleneck")
    return train_at(folder, "model.attention=none", "training.epochs=1")


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Work in an empty folder where LINES are the file `source`."""
    monkeypatch.chdir(tmp_path)
    Path("source").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return "source"


@pytest.fixture
def copy(model: str, source: str) -> Path:
    """The model's folder, to be changed, in the folder where `source` lies."""
    return Path(shutil.copytree(model, "copy"))


def one_by_one(model: str, **options: Any) -> list[Translation]:
    """Each line translated alone, by the public function."""
    translator = load_translator(model, **options)
    return [next(translator.translate([line])) for line in LINES]


def in_full(texts: list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


class TestResults:
    def test_text_is_the_best_hypothesis_of_each_line_in_order_and_nothing_else(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source"]) == 0
        alone = [translation.text for translation in one_by_one(model)]
        assert alone[1] == ""
        assert capsys.readouterr() == (in_full(alone), "")

    @pytest.mark.parametrize(
        ("option", "meaning"),
        [
            (["--greedy"], {"strategy": "greedy"}),
            (["--beam", "2"], {"beam_width": 2}),
            (["--length-penalty", "3"], {"length_penalty": 3.0}),
            (["--batch", "1"], {"batch_sentences": 1}),
            (["--precision", "float32"], {"precision": "float32"}),
        ],
    )
    def test_an_option_reaches_the_search(
        self,
        option: list[str],
        meaning: dict[str, Any],
        model: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(["translate", model, "source", "--format", "jsonl", *option]) == 0
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        scores = [line["hypotheses"][0]["score"] for line in shown]
        expected = [translation.hypotheses[0].score for translation in one_by_one(model, **meaning)]
        assert scores == pytest.approx(expected, abs=1e-4)

    def test_a_beam_is_searched_also_where_the_model_s_own_search_is_greedy(
        self, model: str, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        facts = (copy / "model.json").read_text(encoding="utf-8")
        greedy = facts.replace('"strategy": "beam"', '"strategy": "greedy"')
        assert greedy != facts
        (copy / "model.json").write_text(greedy, encoding="utf-8")
        options = ["source", "--beam", "3", "--nbest", "3", "--format", "tsv"]
        assert main(["translate", "copy", *options]) == 0
        shown = capsys.readouterr()
        assert main(["translate", model, *options]) == 0
        assert capsys.readouterr() == shown

    def test_a_dash_as_output_is_standard_output(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source"]) == 0
        shown = capsys.readouterr()
        assert main(["translate", model, "source", "-o", "-"]) == 0
        assert capsys.readouterr() == shown
        assert not Path("-").exists()

    def test_tsv_has_a_row_for_each_hypothesis_as_jsonl_has_an_object(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["translate", model, "source", "--nbest", "3", "--format"]
        assert main([*command, "tsv"]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert main([*command, "jsonl"]) == 0
        objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["source"] for line in objects] == LINES
        assert [len(line["hypotheses"]) for line in objects] == [3, 1, 3, 3, 3]
        assert rows == [
            [
                str(line["line"]),
                str(rank),
                f"{hypothesis['score']:.6f}",
                f"{hypothesis['log_probability']:.6f}",
                hypothesis["text"],
            ]
            for line in objects
            for rank, hypothesis in enumerate(line["hypotheses"], start=1)
        ]
        for line in objects:
            scores = [hypothesis["score"] for hypothesis in line["hypotheses"]]
            assert scores == sorted(scores, reverse=True)

    def test_attention_aligns_each_token_with_the_source_token_it_weighs_most(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source", "--format", "jsonl", "--attention"]) == 0
        objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        expected = one_by_one(model, with_attention=True)
        for shown, translation in zip(objects, expected, strict=True):
            (best,) = shown["hypotheses"]
            hypothesis = translation.hypotheses[0]
            assert best.get("tokens", []) == list(hypothesis.tokens)
            links = []
            for place, row in enumerate(hypothesis.attention):
                assert best["attention"][place] == pytest.approx(row, abs=2e-4)
                assert len(row) == len(shown["source_tokens"])
                links.append(f"{row.index(max(row))}-{place}")
            assert best.get("alignment", "") == " ".join(links)

    def test_a_drawing_goes_to_standard_error_and_leaves_the_results_alone(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source"]) == 0
        plain = capsys.readouterr().out
        assert main(["translate", model, "source", "--draw"]) == 0
        out, drawn = capsys.readouterr()
        assert out == plain
        with_attention = one_by_one(model, with_attention=True)
        assert drawn == in_full([draw_attention(translation) for translation in with_attention])


class TestInput:
    @pytest.mark.parametrize("arguments", [[], ["-"]], ids=["nothing", "a dash"])
    def test_standard_input_is_read_as_a_file_is(
        self,
        arguments: list[str],
        model: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(["translate", model, "source"]) == 0
        from_file = capsys.readouterr()
        text = io.BytesIO(Path("source").read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(text))
        assert main(["translate", model, *arguments]) == 0
        assert capsys.readouterr() == from_file

    def test_a_mark_at_the_start_and_line_ends_of_windows_make_no_difference(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source", "--format", "jsonl"]) == 0
        plain = capsys.readouterr()
        Path("windows").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*LINES, ""]).encode())
        assert main(["translate", model, "windows", "--format", "jsonl"]) == 0
        assert capsys.readouterr() == plain

    @pytest.mark.parametrize(("text", "lines"), [("", 0), ("\n", 1), ("\n \n\n", 3), ("rennt", 1)])
    def test_as_many_lines_come_out_as_go_in(
        self, text: str, lines: int, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("few").write_text(text)
        assert main(["translate", model, "few"]) == 0
        out, err = capsys.readouterr()
        assert out.count("\n") == lines
        assert (not out.strip()) == (not text.strip())
        assert err == ""

    @pytest.mark.parametrize(
        ("raw", "what"),
        [
            (b"gut\nein \0 Hund\n", "bad, line 2: there is a NUL byte"),
            (b"gut\ngut\nM\xfcnchen\n", "bad, line 3: not UTF-8"),
        ],
    )
    def test_text_that_is_none_is_an_error_that_names_file_and_line(
        self, raw: bytes, what: str, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("bad").write_bytes(raw)
        assert main(["translate", model, "bad", "-o", "out"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: {what}\n  why: ")
        assert "\n  fix: " in err
        assert sorted(os.listdir()) == ["bad", "source"]

    def test_a_missing_file_is_an_error(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "gone"]) == 1
        assert capsys.readouterr() == ("", "error: cannot read gone: No such file or directory\n")

    def test_a_line_of_100000_characters_gives_one_line_and_a_warning_that_names_it(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("long").write_text(f"rennt\n{'Hund ' * 20_000}\nrennt\n")
        assert main(["translate", model, "long", "--greedy"]) == 0
        out, err = capsys.readouterr()
        first, long, last = out.splitlines()
        assert first == last != long
        assert err.startswith("warning: long, line 2: ")
        assert err.count("\n") == 1

    def test_an_output_that_is_cut_off_gives_a_warning_that_names_its_line(
        self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(search, "MARGIN", -4)
        stumps = [
            number
            for number, translation in enumerate(one_by_one(model), start=1)
            if not translation.hypotheses[0].is_complete
        ]
        assert stumps
        assert main(["translate", model, "source"]) == 0
        out, err = capsys.readouterr()
        assert out.count("\n") == len(LINES)
        assert [line.split(" is cut off ")[0] for line in err.splitlines()] == [
            f"warning: source, line {number}: the output did not end and" for number in stumps
        ]

    def test_each_line_is_answered_before_the_next_one_is_written(
        self, model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo("questions")
        reading, writing = os.pipe()
        answers: list[bytes] = []

        def converse() -> None:
            with open("questions", "wb", buffering=0) as questions:
                for line in ("rennt", "ein Hund"):
                    questions.write(f"{line}\n".encode())
                    if not select.select([reading], [], [], 60)[0]:
                        return
                    answers.append(os.read(reading, 10_000))

        writer = threading.Thread(target=converse)
        writer.start()
        with open(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(["translate", model, "questions"]) == 0
        writer.join()
        os.close(reading)
        assert [answer.count(b"\n") for answer in answers] == [1, 1]


class TestOutput:
    def test_a_file_gets_what_standard_output_would(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source"]) == 0
        shown = capsys.readouterr().out
        assert main(["translate", model, "source", "-o", "out"]) == 0
        assert capsys.readouterr() == ("", "")
        assert Path("out").read_bytes() == shown.encode()

    def test_a_missing_folder_is_an_error(
        self, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", model, "source", "-o", "gone/out"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: cannot write gone/out: there is no folder gone\n")

    def test_a_reader_that_has_gone_ends_the_command_quietly(
        self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(["translate", model, "source"]) == 0
        assert capsys.readouterr().err == ""


class TestModel:
    @pytest.mark.parametrize("precision", ["int8", "float32"])
    def test_verbose_tells_what_translates_and_leaves_the_results_alone(
        self, precision: str, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["translate", model, "source", "--precision", precision, "--beam", "3"]
        assert main(command) == 0
        plain = capsys.readouterr().out
        assert main([*command, "--verbose", "--threads", "2"]) == 0
        out, err = capsys.readouterr()
        assert out == plain
        facts = read_facts(Path(model))
        for told in (model, f"format {facts.format}", f"{facts.parameters:,} parameters"):
            assert told in err
        assert "beam_width 3" in err
        assert f"{precision if int8_works() else 'float32'}, 2 threads" in err

    def test_float32_is_used_where_8_bit_integers_do_not_work_and_this_is_told(
        self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["translate", model, "source", "--format", "tsv"]
        assert main([*command, "--precision", "float32"]) == 0
        exact = capsys.readouterr()
        monkeypatch.setattr("seqcli.api.translate.int8_works", lambda: False)
        assert main([*command, "--quiet"]) == 0
        assert capsys.readouterr() == exact
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert out == exact.out
        assert "float32 is used" in err

    def test_a_name_that_is_no_model_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["translate", "no-such-model", "source"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: there is no model 'no-such-model'\n")
        assert "`seqcli models`" in err

    def test_a_folder_that_is_no_model_is_an_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("empty").mkdir()
        assert main(["translate", "empty", "source"]) == 1
        assert capsys.readouterr().err.startswith("error: empty is not a model: it has no ")

    @pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "tokenizer.json"])
    def test_a_damaged_file_is_an_error_that_names_the_model(
        self, name: str, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: len(content) // 2])
        assert main(["translate", "copy", "source", "-o", "out"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert "copy" in err.splitlines()[0]
        assert not Path("out").exists()

    def test_a_recipe_of_another_version_is_an_error_of_the_model(
        self, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        facts = (copy / "model.json").read_text(encoding="utf-8")
        (copy / "model.json").write_text(facts.replace('"dropout"', '"drop"'), encoding="utf-8")
        assert main(["translate", "copy", "source"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(
            "error: the recipe of the model is not one of ours: copy/model.json"
        )
        assert "model.drop" in error

    def test_a_missing_file_of_a_model_is_an_error(
        self, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (copy / "weights.safetensors").unlink()
        assert main(["translate", "copy", "source"]) == 1
        assert capsys.readouterr().err.startswith("error: the model in copy is broken: ")


class TestModelWithoutAttention:
    @pytest.mark.parametrize("options", [["--attention", "--format", "jsonl"], ["--draw"]])
    def test_attention_asked_of_it_is_refused_before_text_is_read(
        self, options: list[str], bottleneck: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", bottleneck, "gone", "-o", "out", *options]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        what, why, fix = err.splitlines()
        assert what == f"error: the model in {bottleneck} has no attention to show"
        assert "model.attention is 'none'" in why
        assert fix.startswith("  fix: ")
        assert not Path("out").exists()

    def test_it_translates_line_by_line_all_the_same(
        self, bottleneck: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", bottleneck, "source"]) == 0
        alone = [translation.text for translation in one_by_one(bottleneck)]
        assert capsys.readouterr().out == in_full(alone)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--beam", "0"], "error: Invalid value for '--beam'"),
        (["--beam", "9" * 20], "error: decoding.beam_width must be greater than 0 and less than "),
        (["--threads", "9" * 20], "error: Invalid value for '--threads'"),
        (["--beams", "3"], "error: No such option: --beams"),
        (["--format", "xml"], "error: Invalid value for '--format'"),
        (["--nbest", "2"], "error: --nbest 2 does not fit --format text"),
        (
            ["--nbest", "9", "--format", "tsv"],
            "error: 9 hypotheses are asked for, but beam search finds 5",
        ),
        (["--greedy", "--beam", "3"], "error: --greedy does not go with --beam"),
        (["--attention"], "error: --attention does not fit --format text"),
        (["--length-penalty", "-1"], "error: Invalid value for '--length-penalty'"),
        (["source"], "error: Got unexpected extra argument"),
    ],
)
def test_wrong_use_gives_2_and_no_result(
    options: list[str], what: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", model, "source", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(what)


DRAWING = """\
     h
     u b
     n e
     d l
     e l
  두   ░░
개가 ██
   .\
"""  # a Korean letter takes two places of a terminal


def test_a_drawing_has_a_row_for_each_target_token_and_a_column_for_each_source_token() -> None:
    best = Hypothesis("두개가.", 0.0, 0.0, ("두", "개가", "."), ((0, 0.25), (1, 0), (0.1, 0.1)))
    assert draw_attention(Translation("", (best,), ("hunde", "bell"))) == DRAWING
