"""What is said on standard error, and how it looks on a terminal and in a pipe."""

import io
import logging
import sys

import pytest

from seqcli.cli.console import (
    NORMAL,
    QUIET,
    VERBOSE,
    configure_logging,
    say,
    show_error,
    status,
)
from seqcli.errors import DataError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_error_is_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    show_error(DataError("bad"))
    assert terminal.getvalue() == "\x1b[1;31merror:\x1b[0m bad\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_an_error_is_plain_where_colour_is_not_wanted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv(name, value)
    show_error(DataError("bad"))
    assert terminal.getvalue() == "error: bad\n"


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (QUIET, "warning: w\nerror: e\n"),
        (NORMAL, "i\nwarning: w\nerror: e\n"),
        (VERBOSE, "d\ni\nwarning: w\nerror: e\n"),
    ],
)
def test_the_log_goes_to_standard_error_as_plain_lines_from_its_level_up(
    level: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level)
    configure_logging(level)  # a second time, and still each line once
    logger = logging.getLogger("seqcli.some.room")
    logger.debug("d")
    logger.info("%s", "i")
    logger.warning("w")
    logger.error("e")
    assert capsys.readouterr() == ("", shown)


def test_a_status_is_shown_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with status("loading"):
        pass
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with status("loading a[/b].de :smile:"):
        pass
    assert "loading a[/b].de :smile:" in terminal.getvalue()


def test_a_closed_standard_error_is_no_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    say("unheard")
    show_error(DataError("unheard"))
    assert capsys.readouterr().out == ""
