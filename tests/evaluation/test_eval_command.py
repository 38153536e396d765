import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from seqcli.api.evaluate import score_lines
from seqcli.cli.main import main
from seqcli.evaluation import BLEU_TOKENIZERS, DEFAULT_METRICS, METRICS
from seqcli.translator import Hypothesis, Translation

HYPOTHESES = ["The cat sat on the mat.", "A tall man waits for us here."]
REFERENCES = ["The cat sat on a mat.", "A tall man waits here for us."]


class Shouting:
    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        for line in lines:
            yield Translation(line, (Hypothesis(line.upper(), score=0.0, log_probability=0.0),))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """Each model that is loaded, with its options; what is loaded shouts the source."""
    calls: list[tuple[str, dict[str, object]]] = []

    def load_system(model: str, **options: object) -> Shouting:
        calls.append((model, options))
        return Shouting()

    module = types.ModuleType("seqcli.api.systems")
    vars(module).update(load_system=load_system, usual_metrics=lambda model: DEFAULT_METRICS)
    monkeypatch.setitem(sys.modules, "seqcli.api.systems", module)
    return calls


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in [("out", HYPOTHESES), ("ref", REFERENCES), ("short", REFERENCES[:1])]:
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def evaluate(*arguments: str) -> int:
    return main(["eval", *arguments])


@pytest.mark.usefixtures("files")
class TestFiles:
    def test_each_score_is_a_line_with_its_signature(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert evaluate("--hypothesis", "out", "--reference", "ref") == 0
        bleu, chrf = score_lines(HYPOTHESES, [REFERENCES])
        assert capsys.readouterr() == (
            f"BLEU {bleu.value:.1f}  {bleu.signature}\nchrF2 {chrf.value:.1f}  {chrf.signature}\n",
            "",
        )

    @pytest.mark.parametrize("width", ["0", "1", "2", "10"])
    def test_a_value_is_printed_as_sacrebleu_prints_it(
        self, width: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = [sys.executable, "-m", "sacrebleu", "ref", "-i", "out", "-m", "ter", "-b"]
        environment = os.environ | {"SACREBLEU_FORMAT": "text"}
        shown = subprocess.run(
            [*command, "-w", width], capture_output=True, check=True, env=environment, text=True
        )
        options = ["--metrics", "ter", "--width", width]
        assert evaluate("--hypothesis", "out", "--reference", "ref", *options) == 0
        assert capsys.readouterr().out.split()[1] == shown.stdout.strip()

    def test_json_has_full_precision_and_counts(self, capsys: pytest.CaptureFixture[str]) -> None:
        options = ["--metrics", "ter, bleu", "--format", "json", "--bleu-tokenize", "char"]
        files = ["--hypothesis", "out", "--reference", "ref", "--reference", "out"]
        assert evaluate(*files, *options, "--lowercase") == 0
        expected = score_lines(
            HYPOTHESES,
            [REFERENCES, HYPOTHESES],
            ["ter", "bleu"],
            bleu_tokenizer="char",
            lowercase=True,
        )
        assert json.loads(capsys.readouterr().out) == {
            "scores": [
                {"name": score.name, "value": score.value, "signature": score.signature}
                for score in expected
            ],
            "lines": 2,
            "references": 2,
        }

    def test_a_row_for_each_length_follows_the_scores(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["--hypothesis", "out", "--reference", "ref", "--metrics", "chrf,accuracy"]
        assert evaluate(*arguments) == 0
        overall = capsys.readouterr().out
        assert evaluate(*arguments, "--by-length", "6, 10") == 0
        short, long = [
            score_lines([line], [[right]], ["chrf"])[0].value
            for line, right in zip(HYPOTHESES, REFERENCES, strict=True)
        ]
        assert capsys.readouterr() == (
            f"{overall}"
            f"length  0-6   1 lines   chrF2 {short:.1f}   accuracy 0.0\n"
            f"length 7-10   1 lines   chrF2 {long:.1f}   accuracy 0.0\n"
            "length  11+   0 lines   chrF2    -   accuracy   -\n",
            "",
        )

    def test_json_by_length_has_bounds_lines_and_values(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("src").write_text("eins zwei\neins\n", encoding="utf-8")
        arguments = ["--hypothesis", "out", "--reference", "ref", "--metrics", "ter"]
        options = ["--source", "src", "--by-length", "1,2", "--format", "json"]
        assert evaluate(*arguments, *options) == 0
        one, two = [
            score_lines([line], [[right]], ["ter"])[0].value
            for line, right in zip(HYPOTHESES[::-1], REFERENCES[::-1], strict=True)
        ]
        assert json.loads(capsys.readouterr().out)["by_length"] == [
            {"shortest": low, "longest": high, "lines": lines, "scores": [score]}
            for low, high, lines, score in [
                (0, 1, 1, {"name": "TER", "value": one}),
                (2, 2, 1, {"name": "TER", "value": two}),
                (3, None, 0, {"name": "TER", "value": None}),
            ]
        ]

    def test_a_hypothesis_comes_from_standard_input(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = "".join(f"{line}\n" for line in REFERENCES)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert evaluate("--hypothesis", "-", "--reference", "ref", "--metrics", "accuracy") == 0
        assert capsys.readouterr().out == "accuracy 100.0  nrefs:1|case:mixed|unit:line\n"

    def test_a_warning_of_tokenised_text_goes_to_standard_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("out").write_text("The cat sat .\nA man waits .\n", encoding="utf-8")
        assert evaluate("--hypothesis", "out", "--reference", "ref", "--quiet") == 0
        shown = capsys.readouterr()
        assert shown.err.startswith("warning: out looks tokenised: 2 of 2 lines")
        assert shown.err.count("\n") == 1
        assert shown.out.startswith("BLEU ")

    @pytest.mark.parametrize(
        ("arguments", "status", "words"),
        [
            (["--hypothesis", "out", "--reference", "short"], 1, "out has 2 lines but short has 1"),
            (["--hypothesis", "out", "--reference", "gone"], 1, "cannot read gone"),
            (["--hypothesis", "out"], 2, "--reference"),
            (["--reference", "ref"], 2, "there is nothing to score"),
            (["m", "--reference", "ref"], 2, "there is nothing to translate"),
            (["--reference", "ref", "--source", "out"], 2, "there is nothing to score"),
            (["m", "--hypothesis", "out", "--reference", "ref"], 2, "MODEL does not go with"),
            (
                ["--hypothesis", "out", "--reference", "ref", "--source", "out"],
                2,
                "--source does not go with --hypothesis",
            ),
            *[
                (["--hypothesis", "out", "--reference", "ref", f"--by-length={bounds}"], 2, words)
                for bounds, words in [
                    ("", "not a list of whole numbers"),
                    ("10,", "not a list of whole numbers"),
                    ("ten", "not a list of whole numbers"),
                    ("1.5", "not a list of whole numbers"),
                    ("0,10", "0,10 are not positive and increasing"),
                    ("-5", "-5 are not positive and increasing"),
                    ("10,10", "10,10 are not positive and increasing"),
                    ("20,10", "20,10 are not positive and increasing"),
                ]
            ],
            (["--hypothesis", "out", "--reference", "ref", "--beam", "2"], 2, "--beam does not go"),
            (["--hypothesis", "out", "--reference", "ref", "-o", "x"], 2, "--output does not go"),
            (["--hypothesis", "-", "--reference", "-"], 2, "standard input can be read only once"),
            (
                ["--hypothesis", "out", "--reference", "ref", "--metrics", "blue"],
                2,
                "did you mean 'bleu'?",
            ),
            (["--hypothesis", "out", "--reference", "ref", "--metrics", ""], 2, "Choose one of"),
            (
                ["--hypothesis", "out", "--reference", "ref", "--bleu-tokenize", "chars"],
                2,
                "did you mean 'char'?",
            ),
            (
                [
                    *["--hypothesis", "out", "--reference", "ref"],
                    *["--metrics", "ter", "--bleu-tokenize", "char"],
                ],
                2,
                "makes no difference to ter",
            ),
            (["--hypothesis", "out", "--reference", "ref", "--format", "xml"], 2, "xml"),
        ],
    )
    def test_a_fault_is_told_with_its_status_and_nothing_else(
        self,
        arguments: list[str],
        status: int,
        words: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert evaluate(*arguments) == status
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("error: ")
        assert words in shown.err


@pytest.mark.usefixtures("files")
class TestModel:
    def test_the_translations_of_a_model_are_scored_and_kept(
        self,
        loaded: list[tuple[str, dict[str, object]]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        arguments = ["my-model", "--source", "out", "--reference", "ref", "--metrics", "bleu"]
        assert evaluate(*arguments, "-o", "kept", "--width", "3") == 0
        shouted = [line.upper() for line in HYPOTHESES]
        (bleu,) = score_lines(shouted, [REFERENCES], ["bleu"])
        assert capsys.readouterr() == (f"BLEU {bleu.value:.3f}  {bleu.signature}\n", "")
        assert Path("kept").read_text(encoding="utf-8") == "".join(f"{line}\n" for line in shouted)
        assert [model for model, _ in loaded] == ["my-model"]

    def test_beam_and_threads_reach_the_model_if_they_are_given(
        self, loaded: list[tuple[str, dict[str, object]]]
    ) -> None:
        arguments = ["my-model", "--source", "out", "--reference", "ref"]
        assert evaluate(*arguments) == 0
        assert evaluate(*arguments, "--beam", "7", "--threads", "3") == 0
        assert [options for _, options in loaded] == [
            {"beam_width": None, "threads": None},
            {"beam_width": 7, "threads": 3},
        ]

    @pytest.mark.usefixtures("loaded")
    def test_a_model_is_scored_by_the_length_of_its_source(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("src").write_text("The cat sat on a mat.\nwaits\n", encoding="utf-8")
        arguments = ["m", "--source", "src", "--reference", "ref", "--lowercase"]
        assert evaluate(*arguments, "--metrics", "accuracy", "--by-length", "5") == 0
        assert capsys.readouterr().out.splitlines()[1:] == [
            "length 0-5   1 lines   accuracy   0.0",
            "length  6+   1 lines   accuracy 100.0",
        ]

    @pytest.mark.parametrize("bounds", ["20,10", "0", "ten"])
    def test_wrong_lengths_are_told_before_a_model_is_loaded(
        self, bounds: str, loaded: list[tuple[str, dict[str, object]]]
    ) -> None:
        arguments = ["m", "--source", "out", "--reference", "ref", "--by-length", bounds]
        assert evaluate(*arguments) == 2
        assert loaded == []

    @pytest.mark.usefixtures("loaded")
    def test_nothing_is_kept_of_a_run_that_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["m", "--source", "out", "--reference", "short", "-o", "kept"]
        assert evaluate(*arguments) == 1
        assert "out has 2 lines but short has 1" in capsys.readouterr().err
        assert sorted(path.name for path in Path().iterdir()) == ["out", "ref", "short"]

    @pytest.mark.usefixtures("loaded")
    def test_a_missing_folder_for_the_translations_is_told(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["m", "--source", "out", "--reference", "ref", "-o", "gone/kept"]
        assert evaluate(*arguments) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "gone" in shown.err


def test_the_help_names_every_metric_and_tokenizer(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--help") == 0
    unwrapped = "".join(capsys.readouterr().out.split())
    assert ",".join(METRICS) in unwrapped
    assert ",".join(BLEU_TOKENIZERS) in unwrapped
