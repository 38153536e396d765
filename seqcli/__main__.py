"""The way in of `seqcli` and `python -m seqcli`: Ctrl-C is answered from the first moment on."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def run() -> None:
    """Run the command of `sys.argv` and leave the process with its status."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where a shell has the signal ignored
        signal.signal(signal.SIGINT, _leave)
    from seqcli.cli.main import run as run_command

    signal.signal(signal.SIGINT, before)
    run_command()


def _leave(number: int, frame: FrameType | None) -> None:
    """Leave without a traceback while the modules load, when there is nothing to tidy up yet."""
    sys.stderr.write("interrupted\n")
    sys.stderr.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    run()
