import json
import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.api.compare import compare_systems
from seqcli.cli.main import main
from tests.api.test_compare import REFERENCE, SYSTEMS


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in [*SYSTEMS.items(), ("ref", REFERENCE)]:
        Path(name).write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def test_a_table_has_a_row_for_each_system_and_the_signatures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compare", "good", "bad", "--reference", "ref"]) == 0
    rows = capsys.readouterr().out.splitlines()
    good = compare_systems(["good", "bad"], ["ref"]).systems[0]
    assert rows[0].split() == ["system", "BLEU", "p", "chrF2", "p"]
    assert rows[1].split() == ["good", *(f"{score.value:.1f}" for score in good.scores)]
    assert rows[2].split()[::2] == ["bad", "0.001", "0.001"]
    assert rows[4:] == [f"{score.name}  {score.signature}" for score in good.scores]


def test_json_has_all_digits(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--reference", "ref", "--metrics", "ter, accuracy", "--format", "json"]
    assert main(["compare", "good", "bad", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    found = compare_systems(["good", "bad"], ["ref"], ["ter", "accuracy"])
    for row, system in zip(report["systems"], found.systems, strict=True):
        assert row["name"] == system.name
        assert [each["value"] for each in row["scores"]] == [s.value for s in system.scores]
        assert row["p_values"] == list(system.p_values)


@pytest.mark.parametrize(
    ("arguments", "status", "fault"),
    [
        (["good"], 2, "no two different systems"),
        (["-", "bad", "--reference", "-"], 2, "standard input"),
        (["good", "missing"], 2, "nothing that missing could translate"),
        (["good", "missing", "--source", "ref"], 1, "there is no model 'missing'"),
        (["good", "bad", "--metrics", "blue"], 2, "did you mean 'bleu'"),
        (["good", "bad", "--metrics", "ter", "--bleu-tokenize", "intl"], 2, "makes no difference"),
    ],
)
def test_faults_are_told(
    arguments: list[str], status: int, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--reference" not in arguments:
        arguments = [*arguments, "--reference", "ref"]
    assert main(["compare", *arguments]) == status
    assert fault in capsys.readouterr().err


def test_files_are_compared_without_torch(files: Path) -> None:
    program = (
        "import sys; from seqcli.cli.main import main; "
        "main(['compare', 'good', 'bad', '--reference', 'ref']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[-1] == "False"
