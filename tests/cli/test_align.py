"""`seqcli align` through the door."""

import gzip
import io
import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.cli.main import main
from seqcli.smt.alignment import ALIGNERS
from seqcli.smt.symmetrization import SYMMETRIZATIONS

SOURCE = ["Das Haus", "das Buch", "", "ein Buch", "ein  Haus\t"] * 4
TARGET = ["the house", "the book", "alone", "A book", "a house"] * 4
LINKS = ["0-0 1-1", "0-0 1-1", "", "0-0 1-1", "0-0 1-1"] * 4


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("de", SOURCE)
    write("en", TARGET)


def write(name: str, lines: list[str]) -> None:
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_each_pair_of_lines_gets_a_line_and_nothing_else_is_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["align", "de", "en"]) == 0
    assert capsys.readouterr().out.splitlines() == LINKS
    assert main(["align", "de", "en", "-o", "links", "--model", "hmm"]) == 0
    assert Path("links").read_text(encoding="utf-8").splitlines() == LINKS
    assert capsys.readouterr().out == ""


def test_packed_files_and_standard_input_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("de.gz").write_bytes(gzip.compress(Path("de").read_bytes()))
    stdin = io.TextIOWrapper(io.BytesIO(Path("en").read_bytes()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["align", "de.gz", "-", "--model", "ibm1", "--threads", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == LINKS


def test_the_error_rate_is_told_after_the_links(capsys: pytest.CaptureFixture[str]) -> None:
    write("gold", ["1-1 2-2", "1-1 2p2", "", "1-1", "1-2"] * 4)
    assert main(["align", "de", "en", "--gold", "gold", "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == LINKS
    # of 8 links 4 are sure, and 5 possible; there are 5 sure ones
    assert shown.err == (
        f"alignment error rate {1 - (4 + 5) / (8 + 5):.4f}, precision {5 / 8:.4f}, "
        f"recall {4 / 5:.4f} (32 links, 20 sure ones)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "fault"),
    [
        (["de", "short"], 1, "de has 20 lines but short has 1"),
        (["de", "none"], 1, "cannot read none"),
        (["void", "en"], 1, "void is empty"),
        (["blank", "short"], 1, "no pair of lines that both have words"),
        (["de", "en", "--model", "ibm5"], 2, "cannot be 'ibm5'"),
        (["de", "en", "--symmetrization", "grow"], 2, "cannot be 'grow'"),
        (["de", "en", "--gold", "short"], 1, "short, line 1: 'alone' is no gold link"),
        (["de", "en", "--gold", "void"], 1, "void has 0 lines but the text has 20"),
        (["de", "en", "--model", "hmm", "--threads", "1"], 2, "--threads does not go with --model"),
        (["de", "en", "--model", "thot-eflomal", "--threads", "1"], 2, "--threads does not go"),
        (["de", "en", "--model", "fast_align", "--seed", "1"], 2, "--seed does not go with"),
        (["de", "en", "--model", "ibm1", "--seed", "1"], 2, "--seed does not go with --model ibm1"),
        (["-", "-"], 2, "standard input can be read only once"),
        (["de", "en", "-o", "nowhere/links"], 1, "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_aligned_is_refused(
    arguments: list[str], status: int, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("short", ["alone"])
    write("void", [])
    write("blank", [" "])
    assert main(["align", *arguments]) == status
    shown = capsys.readouterr()
    assert fault in shown.err
    assert shown.out == ""


def test_the_help_names_every_model_and_symmetrization(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").replace(".", " ").split()
    assert {*ALIGNERS, *SYMMETRIZATIONS} <= set(words)


def test_no_torch_is_needed() -> None:
    program = (
        "import sys; from seqcli.cli.main import main; "
        "status = main(['align', 'de', 'en']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
