import itertools
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.text.lines import arriving


def wait_until_no_reader_is_left() -> None:
    deadline = time.monotonic() + 5
    while any(thread.name == "line reader" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a reader is still waiting"
        time.sleep(0.001)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=3), max_size=50), st.integers(1, 8))
def test_groups_joined_are_the_lines_in_their_order(lines: list[str], most: int) -> None:
    groups = list(arriving(iter(lines), most))
    assert list(itertools.chain(*groups)) == lines
    assert all(1 <= len(group) <= most for group in groups)
    wait_until_no_reader_is_left()


def test_a_line_is_given_before_the_next_has_arrived() -> None:
    source: queue.Queue[str] = queue.Queue()
    groups = arriving(iter(source.get, "end"), most=10)
    for line in ("a", "b"):
        source.put(line)
        assert next(groups) == [line]
    source.put("end")
    assert list(groups) == []


def test_all_that_has_arrived_comes_in_one_group() -> None:
    taken = threading.Semaphore(0)

    def lines() -> Iterator[str]:
        for number in range(8):
            yield str(number)
            taken.release()  # asked for the next line, so this one is in the queue

    groups = arriving(lines(), most=3)
    seen = next(groups)
    waiting = min(8, len(seen) + 3)
    for _ in range(waiting):
        assert taken.acquire(timeout=5)
    assert next(groups) == [str(number) for number in range(len(seen), waiting)]
    groups.close()


def test_the_reader_runs_ahead_by_a_bounded_number_of_lines() -> None:
    read: list[int] = []

    def lines() -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield str(number)

    groups = arriving(lines(), most=4)
    first = next(groups)
    time.sleep(0.05)
    assert len(read) <= len(first) + 4 + 1  # the queue, and the line in hand
    groups.close()
    wait_until_no_reader_is_left()


@pytest.mark.parametrize("error", [DataError("line 3"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("most", [1, 2, 10])
def test_an_error_comes_after_the_lines_before_it(error: BaseException, most: int) -> None:
    def lines() -> Iterator[str]:
        yield from ("a", "b")
        raise error

    seen: list[str] = []

    def consume() -> None:
        for group in arriving(lines(), most):
            seen.extend(group)

    with pytest.raises(type(error)) as caught:
        consume()
    assert seen == ["a", "b"]
    assert caught.value is error
    wait_until_no_reader_is_left()


@pytest.mark.parametrize("wait_seconds", [0, 0.01])
@pytest.mark.parametrize("most", [1, 5])
def test_a_consumer_that_stops_early_leaves_no_reader_waiting(
    most: int, wait_seconds: float
) -> None:
    closed = threading.Event()

    def lines() -> Iterator[str]:
        try:
            yield from map(str, itertools.count())
        finally:
            closed.set()

    groups = arriving(lines(), most)
    next(groups)
    time.sleep(wait_seconds)
    groups.close()
    wait_until_no_reader_is_left()
    del groups
    assert closed.wait(5)


def test_no_reader_is_started_before_the_first_group_is_asked_for() -> None:
    groups = arriving(iter(["a"]), most=1)
    wait_until_no_reader_is_left()
    assert list(groups) == [["a"]]


def test_the_program_can_end_while_standard_input_is_still_open() -> None:
    program = (
        "from seqcli.text.lines import arriving, read_lines\n"
        "for group in arriving(read_lines('-'), 5): print(group, flush=True); raise SystemExit(7)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"a\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"['a']\n"
        assert process.wait(10) == 7
        assert process.stderr.read() == b""
