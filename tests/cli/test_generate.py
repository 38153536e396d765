"""`seqcli generate` through the door: its options, its beginnings and what it says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from seqcli.api.generate import load_generator
from seqcli.cli.main import main
from seqcli.translator import Translation
from tests.cli.writers import LINES, TEXT, train_writer_at

FULL = ["--max-tokens", "30"]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> str:
    return train_writer_at(tmp_path_factory.mktemp("generate"))


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")


def written(model: str, **options: Any) -> list[Translation]:
    return list(load_generator(model, **options).translate(LINES))


@pytest.mark.parametrize(
    ("options", "meaning"),
    [
        ([], {}),
        (["--greedy"], {"top_k": 1}),
        (["--temperature", "2"], {"temperature": 2.0}),
        (["--top-k", "3"], {"top_k": 3}),
        (["--top-p", "0.7"], {"top_p": 0.7}),
        (["--max-tokens", "2"], {"max_tokens": 2}),
        (["--seed", "7"], {"seed": 7}),
        (["--batch", "1"], {}),
        (["--threads", "1"], {}),
    ],
)
def test_each_beginning_is_gone_on_with_as_the_options_say(
    options: list[str], meaning: dict[str, Any], lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", lm, "text", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [translation.text for translation in written(lm, **meaning)]
    for line, beginning in zip(lines, LINES, strict=True):
        assert line.startswith(beginning)


def test_jsonl_tells_what_was_read_and_how_probable_the_rest_is(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", lm, "text", "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [shown["source"] for shown in objects] == LINES
    for shown, expected in zip(objects, written(lm), strict=True):
        (hypothesis,) = shown["hypotheses"]
        assert hypothesis["text"] == expected.text
        assert hypothesis["log_probability"] == pytest.approx(
            expected.hypotheses[0].log_probability
        )


def test_a_number_of_lines_is_written_from_nothing(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", lm, "--number", "20", *FULL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert len(set(lines)) > 1
    assert len(set(lines) & set(TEXT)) > 2  # it has learned them
    Path("empty").write_text("\n" * 20, encoding="utf-8")
    assert main(["generate", lm, "empty", *FULL]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_the_same_seed_gives_the_same_lines_and_another_one_others(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for options in ([], ["--batch", "3"], ["--seed", "1"], ["--seed", "2"]):
        assert main(["generate", lm, "--number", "20", *options]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2] != shown[3]


def test_what_was_cut_off_is_counted_on_standard_error(
    lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", lm, "text", "--max-tokens", "1"]) == 0
    out, err = capsys.readouterr()
    unfinished = sum(
        not translation.hypotheses[0].is_complete for translation in written(lm, max_tokens=1)
    )
    assert 0 < unfinished < len(LINES)
    assert err == (
        f"warning: {unfinished} of 5 lines did not come to an end within --max-tokens 1 "
        "and are cut off\n"
    )
    assert len(out.splitlines()) == 5


def test_a_file_is_written_whole(lm: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", lm, "text"]) == 0
    shown = capsys.readouterr().out
    assert main(["generate", lm, "text", "-o", "out"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("out").read_text(encoding="utf-8") == shown


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["text", "--number", "3"], "FILE does not go with --number"),
        (["text", "--greedy", "--top-k", "3"], "--top-k does not go with --greedy"),
        (["text", "--greedy", "--top-p", "0.3"], "--top-p does not go with --greedy"),
        (["text", "--greedy", "--temperature", "3"], "--temperature does not go with --greedy"),
        (["text", "--temperature", "0"], "decoding.temperature"),
        (["text", "--top-p", "0"], "decoding.top_p"),
        (["text", "--top-p", "2"], "--top-p"),
        (["text", "--top-k", "0"], "--top-k"),
        (["--number", "0"], "--number"),
    ],
)
def test_impossible_options_are_wrong_use(
    options: list[str], refused: str, lm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", lm, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert refused in err.splitlines()[0]
