"""A training that its user stops: the step under way is finished and the state is saved."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from seqcli.errors import SeqcliError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(SeqcliError):
    """The user stopped a training; its state is saved."""

    exit_status = 130


class StopRequest:
    """Whether someone has asked for the end."""

    def __init__(self) -> None:
        self.is_made = False

    @contextmanager
    def noted(self, on_request: Callable[[], None]) -> Iterator[None]:
        """Note Ctrl-C or SIGTERM inside the block; the second one raises KeyboardInterrupt at once.

        Python handles signals in the main thread alone: in another one nothing is noted.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: object) -> None:
            if self.is_made:
                raise KeyboardInterrupt
            self.is_made = True
            on_request()

        before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
