"""The door: what a command does or suffers becomes a message and an exit status."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

import seqcli.cli.main as door
from seqcli.errors import ConfigError, DataError, ModelError, OutputError, SeqcliError, UsageError

Run = Callable[[Callable[[], object]], int]

# A process whose one command is `body`, entered as the installed script enters it.
PROGRAM = """
import sys
import typer
import seqcli.cli.main as door

door.app = typer.Typer()

@door.app.callback()
def _callback() -> None: ...

@door.app.command()
def act() -> None:
    {body}

sys.argv = ["seqcli", "act"]
door.run()
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `main` with a door behind which the given action is the only command."""

    def run_action(action: Callable[[], object]) -> int:
        app = typer.Typer()
        app.callback()(lambda: None)
        app.command("act")(action)
        monkeypatch.setattr(door, "app", app)
        return door.main(["act"])

    return run_action


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def program(body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(body=body)]


def test_a_command_that_ends_well_gives_0(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: print("a result")) == 0
    assert capsys.readouterr() == ("a result\n", "")


@pytest.mark.parametrize(
    ("kind", "status"),
    [(DataError, 1), (ModelError, 1), (OutputError, 1), (ConfigError, 2), (UsageError, 2)],
)
def test_a_fault_of_the_user_is_shown_once_and_gives_its_status(
    kind: type[SeqcliError], status: int, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("a.de has 3 lines", why="a.en has 4", fix="Align them")
    assert run(raising(error)) == status
    shown = "error: a.de has 3 lines\n  why: a.en has 4\n  fix: Align them\n"
    assert capsys.readouterr() == ("", shown)


def test_an_error_without_why_and_fix_is_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(DataError("no"))) == 1
    assert capsys.readouterr().err == "error: no\n"


def test_an_interrupt_gives_130(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_a_command_can_choose_its_status(run: Run) -> None:
    assert run(raising(typer.Exit(1))) == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
    ids=["python", "torch"],
)
def test_a_lack_of_memory_is_shown_as_an_error(
    error: Exception, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error)) == 1
    assert capsys.readouterr().err.startswith("error: out of memory\n  why: ")


def test_a_full_disk_is_shown_as_an_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(OSError(errno.ENOSPC, "No space left on device", "a.txt"))) == 1
    assert capsys.readouterr().err.startswith("error: no space left on the disk for a.txt\n")


@pytest.mark.parametrize(("name", "place"), [(None, ""), ("a.txt", " for a.txt")])
def test_a_limit_on_the_size_of_files_is_shown_as_an_error(
    name: str | None, place: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(OSError(errno.EFBIG, "File too large", name))) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: no file may be so large{place}\n")
    assert "ulimit -f" in told.splitlines()[-1]


def test_a_path_that_the_system_refuses_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / ("n" * 300))
    for command in (["translate", name], ["tokenize", "encode", name], ["train", "-o", "x", name]):
        assert door.main(command) == 1
        assert capsys.readouterr().err.startswith(f"error: cannot use {name}: File name too long\n")


@pytest.mark.parametrize("error", [RuntimeError("ours"), PermissionError(), ValueError()])
def test_a_fault_of_ours_passes_with_its_traceback(error: Exception, run: Run) -> None:
    with pytest.raises(type(error)) as caught:
        run(raising(error))
    assert caught.value is error


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["no-such-command"], "error: No such command 'no-such-command'"),
        (["--no-such-option"], "error: No such option: --no-such-option"),
        (
            ["models", "--format", "xml"],
            "error: Invalid value for '--format': 'xml' is not one of 'text', 'json'.\n",
        ),
        (["models", "a", "b"], "error: Got unexpected extra argument"),
    ],
)
def test_wrong_use_gives_2_and_names_the_help(
    arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert door.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(what)
    assert "--help`" in err.splitlines()[-1]


@pytest.mark.parametrize("arguments", [[], ["tokenize"]])
def test_no_command_shows_the_help_and_gives_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert door.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(" ".join(["Usage: seqcli", *arguments]))


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["--help"]) == 0
    out = capsys.readouterr().out
    commands = ["train", "translate", "eval", "tokenize", "models"]
    assert all(f"\n  {name}" in out for name in commands)


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["--version"]) == 0
    assert capsys.readouterr().out == f"seqcli {version('seqcli')}\n"


def test_ctrl_c_ends_the_process_with_130_and_without_a_traceback() -> None:
    waiting = subprocess.Popen(
        program("print('ready', flush=True); import time; time.sleep(60)"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdout is not None
    with waiting:
        assert waiting.stdout.readline() == b"ready\n"
        waiting.send_signal(signal.SIGINT)
        assert waiting.communicate(timeout=30) == (b"", b"interrupted\n")
    assert waiting.returncode == 130


def test_a_reader_that_leaves_early_ends_the_command_quietly() -> None:
    writer = subprocess.Popen(
        program("[print('x' * 100) for _ in range(100_000)]"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    with writer, writer.stdout, writer.stderr:
        assert writer.stdout.readline() == b"x" * 100 + b"\n"
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
@pytest.mark.parametrize("lines", [1, 100_000], ids=["at the last flush", "in the command"])
def test_a_full_disk_behind_standard_output_gives_1(lines: int) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            program(f"[print('x' * 100) for _ in range({lines})]"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: no space left on the disk\n")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_results_are_utf_8_whatever_the_locale() -> None:
    done = subprocess.run(
        program("print('grüß\\u2028')"),
        stdout=subprocess.PIPE,
        env={"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert done.stdout == "grüß\u2028\n".encode()


def test_the_commands_are_imported_without_any_heavy_package() -> None:
    heavy = ["torch", "sacrebleu", "sentencepiece", "numpy"]
    code = f"import sys, seqcli.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_ctrl_c_while_the_modules_load_leaves_no_traceback() -> None:
    code = (
        "import os, signal, sys\n"
        "class Interrupter:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'seqcli.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupter())\n"
        "from seqcli.__main__ import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
