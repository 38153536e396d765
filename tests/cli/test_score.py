"""`seqcli score` through the door: its formats, its input and its total."""

import json
import math
import os
import select
import sys
import threading
from pathlib import Path

import pytest

from seqcli.api.score import load_scorer, score_text
from seqcli.cli.main import main
from seqcli.text.line_scores import LineScore
from tests.cli.translators import train_at
from tests.cli.writers import LINES, train_writer_at


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_writer_at(tmp_path_factory.mktemp("score"))


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")


def alone(model: str) -> list[LineScore]:
    scorer = load_scorer(model)
    return [next(scorer.score([line])) for line in LINES]


def test_each_line_gets_its_log_probability_in_order_and_nothing_else_is_on_stdout(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", lm, "text"]) == 0
    shown = [float(line) for line in capsys.readouterr().out.splitlines()]
    expected = [score.log_probability for score in alone(lm)]
    assert shown == pytest.approx(expected, abs=2e-4)
    assert all(value < 0 for value in shown)
    assert shown[0] == max(shown[0], *shown[2:4])  # it was in the text


def test_tables_and_objects_tell_tokens_nats_and_perplexity(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", lm, "text", "--format", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert main(["score", lm, "text", "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for number, (row, shown, score) in enumerate(zip(rows, objects, alone(lm), strict=True), 1):
        count = len(score.tokens)
        assert (int(row[0]), int(row[2])) == (number, count)
        assert float(row[1]) == pytest.approx(score.log_probability, abs=2e-4)
        perplexity = math.exp(-score.log_probability / count)
        assert float(row[3]) == pytest.approx(perplexity, rel=1e-3)
        assert shown["line"] == number
        assert shown["text"] == LINES[number - 1]
        assert shown["tokens"] == list(score.tokens)
        assert shown["tokens"][-1] == "</s>"
        assert shown["nats"] == pytest.approx(score.nats, abs=2e-4)
        assert -sum(shown["nats"]) == pytest.approx(shown["log_probability"], abs=1e-3)
        assert shown["perplexity"] == pytest.approx(perplexity, rel=1e-3)


def test_the_total_is_told_on_standard_error_unless_quiet(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", lm, "text"]) == 0
    out, err = capsys.readouterr()
    scores = alone(lm)
    nats = -sum(score.log_probability for score in scores)
    tokens = sum(len(score.tokens) for score in scores)
    characters = Path("text").stat().st_size
    assert err == (
        f"5 lines, {tokens} tokens with the ends of sentences: {nats / tokens:.4f} nats a token, "
        f"perplexity {math.exp(nats / tokens):.2f} a token, "
        f"{nats / math.log(2) / characters:.4f} bits a character with the ends of lines\n"
    )
    assert main(["score", lm, "text", "--quiet"]) == 0
    assert capsys.readouterr() == (out, "")


def test_a_text_without_a_line_has_no_total(lm: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("nothing").touch()
    assert main(["score", lm, "nothing"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_line_longer_than_any_of_the_training_is_scored_whole(lm: str) -> None:
    Path("long").write_text(" ".join(["a dog runs"] * 1000), encoding="utf-8")
    (score,) = score_text(load_scorer(lm), "long")
    assert len(score.tokens) == 3001


def test_each_line_is_answered_as_it_arrives(lm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person types a line and waits for its score before the next."""
    reader, writer = os.pipe()
    answers, answer = os.pipe()
    with os.fdopen(reader) as stdin, os.fdopen(answer, "w", buffering=1) as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        thread = threading.Thread(target=main, args=(["score", lm],))
        thread.start()
        for line, expected in zip(LINES, alone(lm), strict=True):
            os.write(writer, f"{line}\n".encode())
            ready, _, _ = select.select([answers], [], [], 60)
            assert ready
            shown = float(os.read(answers, 100))
            assert shown == pytest.approx(expected.log_probability, abs=2e-4)
        os.close(writer)
        thread.join(60)
        assert not thread.is_alive()
    os.close(answers)


@pytest.mark.parametrize(
    "command", [["translate"], ["eval", "--source", "text", "--reference", "text"], ["classify"]]
)
def test_other_commands_refuse_it_and_name_one_that_does_not(
    command: list[str], lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command
    assert main([name, lm, *(options or ["text"])]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "is for language-modeling" in err
    assert "`seqcli score`" in err


@pytest.mark.parametrize("command", ["score", "generate"])
def test_a_model_of_another_kind_is_refused_with_the_command_for_it(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    translator = train_at(tmp_path, "training.epochs=1")
    capsys.readouterr()
    assert main([command, translator, "text", "-o", "out"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "is for translation, not for language-modeling" in err
    assert "`seqcli translate`" in err
    assert not Path("out").exists()


def test_unusable_text_is_named_with_its_line_after_the_answers_to_those_before(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text").write_bytes(b"a dog\n\xff\n")
    assert main(["score", lm, "text"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err.startswith("error: text, line 2: not UTF-8")
