"""`seqcli translate` through the door: its options, its input and its output."""

import io
import json
import os
import select
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from seqcli.cli.attention_drawing import draw_attention
from seqcli.cli.main import main
from seqcli.decoding import search
from tests.cli.translators import LINES, in_full, one_by_one

pytestmark = pytest.mark.usefixtures("source")


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
        assert drawn == in_full(
            [
                draw_attention(translation.source_tokens, best.tokens, best.attention)
                for translation in with_attention
                for best in translation.hypotheses
            ]
        )


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

    @pytest.mark.parametrize(
        ("output", "what"),
        [
            ("gone/out", "cannot write gone/out: there is no folder gone"),
            ("source/out", "cannot write source/out: there is no folder source"),
            ("folder", "cannot write folder: Is a directory"),
        ],
    )
    def test_a_file_that_cannot_be_written_is_an_error_before_the_model_is_looked_for(
        self, output: str, what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("folder").mkdir()
        assert main(["translate", "no-such-model", "source", "-o", output]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: {what}\n  fix: ")
        assert sorted(os.listdir()) == ["folder", "source"]

    def test_a_reader_that_has_gone_ends_the_command_quietly(
        self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(["translate", model, "source"]) == 0
        assert capsys.readouterr().err == ""


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
