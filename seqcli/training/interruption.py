"""A training that ends before its last epoch: its user stops it, or its time is over.

The step under way is finished, and the state is saved.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from seqcli.errors import SeqcliError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHARE_KEPT = 0.05  # of a time limit, for what takes longer than expected
SHARE_FOR_THE_END = 0.1  # of it, as long as no validation has been timed


class Interrupted(SeqcliError):
    """The user stopped a training; its state is saved."""

    exit_status = 130


class StopRequest:
    """Whether someone has asked for the end."""

    def __init__(self) -> None:
        self.is_made = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note Ctrl-C or SIGTERM inside the block; the second one raises KeyboardInterrupt at once.

        The first one is only noted, as it may come in the middle of a line that is being printed.
        A signal that the process ignores, as a job in the background does, stays ignored. Python
        handles signals in the main thread alone: in another one nothing is noted.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: object) -> None:
            if self.is_made:
                raise KeyboardInterrupt
            self.is_made = True

        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        heard = [number for number in STOP_SIGNALS if before[number] is not signal.SIG_IGN]
        for number in heard:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number in heard:
                handler = before[number]
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


class TimeLimit:
    """How long a training may take: `minutes` after the moment `start` of `time.monotonic`.

    0 minutes stand for no limit.
    """

    def __init__(self, minutes: float, *, start: float) -> None:
        self._seconds = 60 * minutes
        self._start = start
        self._longest_step = 0.0
        self._last_validation: float | None = None

    def count_step(self, seconds: float) -> None:
        """Take in how long an update took."""
        self._longest_step = max(self._longest_step, seconds)

    def count_validation(self, seconds: float) -> None:
        """Take in how long a validation took, with all that is written after it."""
        self._last_validation = seconds

    @property
    def is_near(self) -> bool:
        """Whether another update, a validation and that of the mean may not be over in time."""
        of_end = SHARE_FOR_THE_END * self._seconds
        if self._last_validation is not None:
            of_end = 2 * self._last_validation
        passed = time.monotonic() - self._start + self._longest_step + of_end
        return 0 < self._seconds * (1 - SHARE_KEPT) < passed
