from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from supervisors import BackgroundThread


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1), KeyboardInterrupt()])
def test_a_job_that_raises_is_logged_and_the_next_one_runs(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    ran: list[Any] = []
    side = BackgroundThread()
    with caplog.at_level(logging.ERROR, "supervisors"):
        assert side.submit(fail)
        assert side.submit(ran.append, 1)
        assert side.close(10)
    assert ran == [1]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


def test_what_was_dropped_before_it_came_here_is_counted_too() -> None:
    side = BackgroundThread()
    side.refuse()
    assert side.dropped == 1


def test_a_full_queue_drops_and_counts() -> None:
    inside, release = threading.Event(), threading.Event()
    side = BackgroundThread(maxsize=2)

    def block() -> None:
        inside.set()
        release.wait(10)

    side.submit(block)
    assert inside.wait(10)
    assert [side.submit(int) for _ in range(4)] == [True, True, False, False]
    assert side.dropped == 2
    release.set()
    assert side.close(10)


def test_nothing_is_taken_after_close_and_what_waited_has_run() -> None:
    ran: list[int] = []
    side = BackgroundThread()
    for number in range(100):
        side.submit(ran.append, number)
    assert side.close(10)
    assert ran == list(range(100))
    assert not side.submit(ran.append, 100)
    assert side.dropped == 1
    assert side.close(10)


def test_close_gives_up_on_a_job_that_does_not_return() -> None:
    release = threading.Event()
    ran: list[int] = []
    side = BackgroundThread()
    side.submit(release.wait, 10)
    side.submit(ran.append, 1)
    assert not side.close(0.01)
    release.set()
    assert side.close(10)
    assert ran == []


def test_flush_waits_for_what_was_queued() -> None:
    ran: list[int] = []
    side = BackgroundThread()
    assert side.flush(10)
    side.submit(ran.append, 1)
    assert side.flush(10)
    assert ran == [1]
    results: list[bool] = []
    side.submit(lambda: results.append(side.flush(10)))
    assert side.flush(10)
    assert results == [False]  # on the side thread itself it cannot wait
    assert side.close(10)


def test_no_thread_left_is_a_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    side = BackgroundThread()
    assert not side.submit(print)
    assert side.dropped == 1


def test_the_size_must_be_positive() -> None:
    with pytest.raises(ValueError, match="maxsize"):
        BackgroundThread(maxsize=0)
