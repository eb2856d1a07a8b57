"""What becomes of a worker's stderr: the tail for errors, and the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slither_actors.pools.hosts.stderr import BACKLOG, KEEP_LINE, KEEP_LINES, StderrLog, StderrTail

# --- the tail


def test_lines_are_given_when_complete_and_the_last_ones_kept() -> None:
    tail = StderrTail()
    assert tail.feed(b"one\ntw") == b"one\n"
    assert tail.text() == "one\ntw"
    assert tail.feed(b"o\r\n\nfour") == b"two\r\n\n"
    assert tail.text() == "one\ntwo\n\nfour"
    assert tail.total == 14


def test_a_tail_is_bounded_in_lines_and_in_their_length() -> None:
    tail = StderrTail()
    for number in range(1000):
        tail.feed(b"%d\n" % number)
    assert tail.text().split("\n") == [str(n) for n in range(1000 - KEEP_LINES, 1000)]
    tail.feed(b"x" * 1_000_000 + b"\n")
    assert tail.text().split("\n")[-1] == "x" * KEEP_LINE
    for _ in range(1000):
        assert tail.feed(b"y" * 10_000) == b""  # a line without end
    assert len(tail.text()) <= KEEP_LINES * (KEEP_LINE + 1)
    assert tail.text().endswith("y" * KEEP_LINE)
    assert len(tail.feed(b"\n")) < 5 * KEEP_LINE


@pytest.mark.parametrize("lines", [1, KEEP_LINES - 1, KEEP_LINES, KEEP_LINES + 1, 10_000])
def test_of_many_lines_at_once_the_last_ones_are_kept(lines: int) -> None:
    tail = StderrTail()
    tail.feed(b"before\nbeg")
    texts = [f"line {n}" for n in range(lines)]
    data = "\n".join(texts).encode() + b"\n"
    assert tail.feed(data) == b"beg" + data
    assert tail.text().split("\n") == ["before", f"beg{texts[0]}", *texts[1:]][-KEEP_LINES:]


def test_bytes_that_are_no_text_are_escaped_characters_joined() -> None:
    tail = StderrTail()
    assert tail.feed(b"\xff\xc3") == b""
    assert tail.feed(b"\xa9\n") == b"\xff\xc3\xa9\n"
    assert tail.text() == "\\xffé"


# --- the log


class Side:
    """A side thread whose jobs run when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.dropped = 0
        self.full = False

    def submit(self, fn: Callable[..., object], *args: Any) -> bool:
        if self.full:
            self.refuse()
            return False
        self.jobs.append((fn, args))
        return True

    def refuse(self) -> None:
        self.dropped += 1

    def run(self) -> None:
        jobs, self.jobs = self.jobs, []
        for fn, args in jobs:
            fn(*args)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[StderrLog]:
    """One whose level is enabled."""
    with caplog.at_level(logging.INFO, "slither_actors.worker"):
        yield StderrLog("pool[3]")


def last_words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text.split()[-1] for text in caplog.messages]


def test_lines_are_logged_with_name_and_pid_but_blank_ones_not(
    log: StderrLog, caplog: pytest.LogCaptureFixture
) -> None:
    side = Side()
    log.lines(side, 77, b"one\r\n\n\nt\xffo\n")  # type: ignore[arg-type]
    side.run()
    assert caplog.messages == ["pool[3] (pid 77): one", "pool[3] (pid 77): t\\xffo"]


def test_a_worker_has_one_job_at_the_side_thread(log: StderrLog, caplog: pytest.LogCaptureFixture) -> None:
    side = Side()
    for number in range(1000):
        log.lines(side, 1, b"%d\n" % number)  # type: ignore[arg-type]
    assert len(side.jobs) == 1
    side.run()
    assert last_words(caplog) == list(map(str, range(1000)))
    log.lines(side, 1, b"more\n")  # type: ignore[arg-type]
    assert len(side.jobs) == 1


def test_what_comes_faster_than_it_is_logged_is_counted(log: StderrLog, caplog: pytest.LogCaptureFixture) -> None:
    side = Side()
    line = b"x" * 999 + b"\n"
    for _ in range(10_000):
        log.lines(side, 1, line)  # type: ignore[arg-type]
    kept = BACKLOG // len(line) + 1
    assert side.dropped == 10_000 - kept
    side.run()
    left_out = (10_000 - kept) * len(line)
    assert len(caplog.messages) == kept + 1
    assert caplog.messages[-1] == (
        f"pool[3]: {left_out} bytes of stderr are left out here, as the log's handlers are too slow"
    )
    caplog.clear()
    log.lines(side, 1, b"after\n")  # type: ignore[arg-type]
    side.run()
    assert caplog.messages == ["pool[3] (pid 1): after"]


def test_what_a_full_side_thread_refused_is_logged_later(log: StderrLog, caplog: pytest.LogCaptureFixture) -> None:
    side = Side()
    side.full = True
    log.lines(side, 1, b"one\n")  # type: ignore[arg-type]
    side.full = False
    log.lines(side, 1, b"two\n")  # type: ignore[arg-type]
    side.run()
    assert last_words(caplog) == ["one", "two"]


def test_nothing_is_kept_for_a_log_that_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    side = Side()
    with caplog.at_level(logging.WARNING, "slither_actors.worker"):
        StderrLog("pool[3]").lines(side, 1, b"one\n" * 1_000_000)  # type: ignore[arg-type]
    assert side.jobs == []
    assert side.dropped == 0
