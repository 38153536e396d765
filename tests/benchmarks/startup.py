"""Start-up: the time until `seqcli --help` has answered, and that `seqcli eval` needs no torch."""

import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.rounds import Result, Settings

GOAL_SECONDS = 0.25
RUNS = 7
SCRIPT = Path(sysconfig.get_path("scripts")) / "seqcli"
EVALUATE = """
import sys
from seqcli.cli.main import main
status = main(["eval", "--hypothesis", sys.argv[1], "--reference", sys.argv[2]])
sys.exit(status or "torch" in sys.modules)
"""


def run(settings: Settings) -> list[Result]:
    runs = 2 if settings.quick else RUNS
    command = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "seqcli"]
    _seconds_of([*command, "--help"])  # warms up the files' cache
    bare, helped = [], []
    for number in range(runs):
        bare.append(_seconds_of([sys.executable, "-c", "pass"]))
        helped.append(_seconds_of([*command, "--help"]))
        print(f"  seqcli --help, run {number + 1}: {helped[-1]:.3f} s", flush=True)
    seconds = statistics.median(helped)
    return [
        Result(
            "start-up, seqcli --help (plain: python alone)",
            f"{statistics.median(bare):.3f} s",
            f"{seconds:.3f} s",
            goal=f"< {GOAL_SECONDS} s",
            is_met=seconds < GOAL_SECONDS,
        ),
        _eval_of_files(),
    ]


def _seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _eval_of_files() -> Result:
    """Score a file in a new process that says by its exit status whether torch was imported."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("hypothesis", "reference")]
        for file in files:
            file.write_text("A man is standing in the street.\n" * 50, encoding="utf-8")
        command = [sys.executable, "-c", EVALUATE, *map(str, files)]
        _seconds_of_status(command)
        seconds, status = _seconds_of_status(command)
    return Result(
        "start-up, seqcli eval of two files",
        "",
        f"{seconds:.3f} s, {'with torch or failed' if status else 'no torch'}",
        goal="no torch",
        is_met=status == 0,
    )


def _seconds_of_status(command: list[str]) -> tuple[float, int]:
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    return time.perf_counter() - start, done.returncode
