"""Workers that write where they should not, and more than anybody wants to read: nothing of it is on the protocol."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.memory import growth
from support.victims import beside, counts, pids, works

from slither_actors import DispatchError, System, WorkerCrashed
from slither_actors.pools.hosts.stderr import BACKLOG, KEEP_LINE, KEEP_LINES
from slither_actors.wire.header import VERSION

pytestmark = pytest.mark.fault(14)


@pytest.fixture(autouse=True)
def nothing_of_the_flood_is_printed() -> Iterator[None]:
    handler = logging.NullHandler()
    logging.getLogger("slither_actors.worker").addHandler(handler)
    yield
    logging.getLogger("slither_actors.worker").removeHandler(handler)


Start = Callable[..., System]
MB = 1 << 20
MUCH = 100_000_000


@contextmanager
def logger(handler: logging.Handler) -> Iterator[None]:
    """With this handler and no other, as pytest's keeps what it gets."""
    log = logging.getLogger("slither_actors.worker")
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]


class Counting(logging.Handler):
    """Counts; `gate`: only once that is set, as a handler whose disk is full."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.warnings = 0
        self.gate = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.wait(60)
        self.warnings += record.levelno == logging.WARNING
        self.bytes += len(record.getMessage())


@pytest.mark.parametrize("function", ["lines", "blank_lines", "one_line", "binary", "on_descriptor_1"])
def test_100_mb_on_stderr_are_bounded_and_delay_nothing(start: Start, function: str) -> None:
    system = start(2)
    before = pids(system)
    assert works(system)
    done = threading.Event()

    def flood() -> None:
        assert len(system.dispatch.run([MUCH], module="noise", function=function, timeout=60)) == 1
        done.set()

    others = 0
    with growth() as grown, beside(flood):
        # As long as it lasts, other runs are served by the other worker. Not too many: each is kept for the ledger.
        while not done.wait(0.02):
            assert works(system)
            others += 1
    assert others > 0
    assert grown[0] < 32 * MB
    assert works(system)
    assert (pids(system), counts(system).exits) == (before, {})


def test_a_slow_log_bounds_memory_and_counts_what_is_dropped(start: Start, eventually: Callable[..., None]) -> None:
    handler = Counting()
    with logger(handler):
        system = start(1)
        with growth() as grown:
            system.dispatch.run([MUCH], module="noise", function="lines", timeout=60)
        assert grown[0] < 32 * MB
        assert system.statistics().dropped_events > 100
        handler.gate.set()
        eventually(lambda: handler.warnings >= 1, 20)  # so much is missing
        assert system.stop()
    assert BACKLOG <= handler.bytes < MUCH // 10


def test_a_burst_that_the_log_can_take_is_logged_whole(start: Start, eventually: Callable[..., None]) -> None:
    handler = Counting()
    handler.gate.set()
    with logger(handler):
        system = start(1)
        system.dispatch.run([BACKLOG // 2], module="noise", function="lines")
        eventually(lambda: handler.bytes >= BACKLOG // 2 - 65_536, 20)
        assert system.statistics().dropped_events == 0
        assert system.stop()
    assert handler.warnings == 0


def test_last_words_of_one_that_prints_much_and_dies_are_kept(start: Start) -> None:
    system = start(1)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([10_000_000], module="noise", function="prints_and_dies")
    reason = caught.value.reason
    assert isinstance(reason, WorkerCrashed)
    assert reason.exit_code == 3
    lines = reason.stderr_tail.split("\n")
    assert lines[-1] == "the last words"
    assert len(lines) == KEEP_LINES
    assert max(map(len, lines)) <= KEEP_LINE
    assert works(system)


def test_prints_of_every_kind_leave_the_protocol_alone(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "slither_actors.worker")
    system = start(1)
    before = pids(system)
    looks_like_a_frame = f"SA{chr(VERSION)}\x07" + "\x00" * 48
    results = system.dispatch.run([looks_like_a_frame] * 50, module="noise", function="frames_on_stdout", batch_size=5)
    assert [item.payload for item in results] == [looks_like_a_frame] * 50
    assert works(system)
    seen = counts(system)
    assert (pids(system), seen.exits, seen.protocol_errors) == (before, {}, {})
    assert system.stop()  # so that all has been logged
    assert sum("SA from a child" in text for text in caplog.messages) == 50


@pytest.mark.parametrize("function", ["closes_the_standard_streams", "closes_sys_stdout"])
def test_a_worker_without_standard_streams_goes_on(start: Start, function: str) -> None:
    system = start(1)
    before = pids(system)
    for name in (function, "lines_or_not", "lines_or_not"):
        assert len(system.dispatch.run([1, 2], module="noise", function=name)) == 2
    assert works(system)
    assert (pids(system), counts(system).exits) == (before, {})
