"""`seqcli check` tells what is wrong with a text, and writes it without."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seqcli.api.check import check_files
from seqcli.cli.main import main
from seqcli.tokenizers import TokenizerConfig, train_tokenizer

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file into the folder that the command is run in."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> str:
        Path(name).write_text(text, newline="")
        return name

    return write_file


@pytest.fixture
def pair(write: Write) -> list[str]:
    return [write("a.de", "eins\n\nzwei\neins\n"), write("a.en", "one\nx\ntwo\none\n")]


def test_each_finding_is_a_line_of_the_result(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *pair, "--valid", *pair]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        "a.de: 4 lines, a.en: 4 lines\n"
        "  a.de: empty lines: 1 of 4 (25.0%), line 2\n"
        "  pairs that repeat an earlier one: 1 of 4 (25.0%), line 4\n"
        "  pairs of valid that are in the training text: 3 of 4 (75.0%), lines 1, 3, 4\n"
        "  sources of valid that are in the training text: 3 of 4 (75.0%), lines 1, 3, 4\n"
    )


def test_json_holds_what_the_function_returns(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *pair, "--fix", "c.de", "c.en", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    report = check_files(pair)
    assert told["files"] == pair
    assert told["lines"] == [4, 4]
    assert told["is_serious"] is False
    assert [(f["rule"], f["count"], f["share"], f["lines"]) for f in told["findings"]] == [
        (f.rule, f.count, f.share, list(f.lines)) for f in report.findings
    ]
    assert told["cleaned"]["kept"] == 2
    assert told["cleaned"]["dropped"] == {"empty": 1, "duplicates": 1, "length_ratio": 0}


def test_text_without_a_fault_is_told_so(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write("a", "one\ntwo\n")]) == 0
    assert capsys.readouterr().out == "a: 2 lines\n  nothing is wrong\n"


def test_what_is_serious_gives_1(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    short, long = write("s", "one\n"), write("l", "un\ndeux\n")
    assert main(["check", short, long]) == 1
    assert capsys.readouterr().out == (
        "s: 1 line, l: 2 lines\n"
        "  SERIOUS: l: lines without a partner on the other side: 1 of 2 (50.0%), line 2\n"
    )
    Path("bad").write_bytes(b"good\nf\xfcr\n")
    assert main(["check", "bad", "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["is_serious"] is True
    assert told["findings"][0]["lines"] == [2]


def test_fix_writes_the_text_and_says_what_was_done(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write("a.de", "eins\0\r\nzwei\ndrei\n"), write("a.en", "one\ntwo\nthree\n")]
    valid = ["--valid", write("v.de", "zwei\n"), write("v.en", "two\n")]
    assert main(["check", *files, *valid, "--fix", "c.de", "c.en"]) == 0  # the NUL byte is mended
    out = capsys.readouterr().out.partition("wrote ")[2]
    assert out == (
        "c.de, c.en: 2 of 3 rows\n"
        "  dropped by the rule in_valid: 1\n"
        "  mended by the rule carriage_returns: 1\n"
        "  mended by the rule control_characters: 1\n"
    )
    assert Path("c.de").read_bytes() == b"eins\ndrei\n"
    assert Path("c.en").read_bytes() == b"one\nthree\n"
    assert main(["check", "c.de", "c.en", *valid]) == 0
    assert capsys.readouterr().out.endswith("  nothing is wrong\n")


def test_what_cannot_be_fixed_is_reported_and_then_refused(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad").write_bytes(b"good\nf\xfcr\n")
    assert main(["check", "bad", "--fix-file", "c"]) == 1
    out, err = capsys.readouterr()
    assert "SERIOUS: bad: lines that are not UTF-8: 1 of 2" in out
    assert err.startswith("error: bad, line 2: not UTF-8\n")
    assert not Path("c").exists()


def test_a_table_text_alone_and_standard_input_are_taken(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write("a.tsv", "eins\tone\nzwei\ttwo\n")
    assert main(["check", table, "--test-file", table, "--fix", "c.de", "c.en"]) == 1  # all in test
    assert "nothing is left of a.tsv" in capsys.readouterr().err
    assert main(["check", table, "--fix", "c.de", "c.en"]) == 0
    assert Path("c.en").read_text() == "one\ntwo\n"
    assert main(["check", "c.en", "--valid-file", "c.de", "--fix-file", "d"]) == 0
    assert Path("d").read_text() == "one\ntwo\n"
    done = subprocess.run(
        [sys.executable, "-m", "seqcli", "check", "-"],
        input=b"one\none\n",
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.decode() == (
        "standard input: 2 lines\n  lines that repeat an earlier one: 1 of 2 (50.0%), line 2\n"
    )


def test_unknown_tokens_are_counted_with_a_tokenizer(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    train_tokenizer(["ab"], TokenizerConfig(kind="characters")).save(Path(), "t")
    assert main(["check", write("a", "ab\nabx\n"), "--tokenizer", "t"]) == 0
    text = "tokens that the vocabulary lacks (unknown, or spelled in bytes): 1 of 5 (20.0%), line 2"
    assert f"  a: {text}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["a.de", "a.en", "--fix", "a.de", "c"], "a.de is read or written already"),
        (["a.de", "a.en", "--fix-file", "c"], "files to write: 1, but sides of the text: 2"),
        (["a.de", "--valid", "a.de", "a.en"], "the text and a.de, a.en do not have the same"),
        (["a.de", "a.en", "--test-file", "a.de"], "the text and a.de do not have the same"),
        (["a.de", "--fix", "b", "c", "--fix-file", "d"], "--fix-file does not go with --fix"),
        (["a.de", "--model", "m", "--tokenizer", "t"], "--tokenizer does not go with --model"),
        (["-", "-"], "standard input can be read only once"),
        (["-", "--fix-file", "c"], "standard input cannot be read twice"),
        (["a.de", "--max-length-ratio", "0.5"], "the maximal ratio of lengths cannot be 0.5"),
        (["a.de", "--max-length-ratio", "nan"], "the maximal ratio of lengths cannot be nan"),
    ],
)
def test_what_does_not_go_together_gives_2(
    options: list[str], fault: str, pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {fault}")


def test_where_nothing_can_be_written_no_text_is_read(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = write("a", "eins\n"), write("b", "one\n")
    command = ["check", source, target, "--fix", "c", str(Path("nowhere", "d"))]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: cannot write nowhere/d: there is no folder nowhere\n")
    assert not Path("c").exists()


def test_the_length_ratio_can_be_chosen(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    source = write("a", "".join(f"{n} of these many words in a line\n" for n in range(9)))
    lines = [f"{n} and as many words in this one" for n in range(8)]
    target = write("b", "\n".join([*lines, "word " * 99]))
    for ratio, is_found in (([], True), (["--max-length-ratio", "inf"], False)):
        assert main(["check", source, target, *ratio]) == 0
        assert ("ratio of lengths in characters" in capsys.readouterr().out) is is_found


def test_a_text_is_checked_without_torch(pair: list[str]) -> None:
    code = (
        "import sys; from seqcli.cli.main import main; "
        f"main(['check', *{pair}]); print('torch' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env)
    assert done.stdout.endswith(b"False\n")
