"""Counting of runs, and who waits until there are none."""

from __future__ import annotations

import threading

from slither_actors.runs.live_runs import LiveRuns


def test_runs_and_requests_are_counted_together() -> None:
    live = LiveRuns()
    pending: dict[object, None] = {object(): None, object(): None}
    live.begin(1)
    live.count_also(1, lambda: len(pending))
    assert live.count == 3
    live.ended(1, cut_off=True)
    pending.clear()
    live.request_ended(2)
    assert (live.count, live.finished, live.cut_off) == (0, 3, 1)


def test_a_run_that_could_not_start_has_not_finished() -> None:
    live = LiveRuns()
    live.begin(1)
    live.withdraw(1)
    assert (live.count, live.finished) == (0, 0)


def test_who_waits_is_woken_by_the_last_request() -> None:
    live = LiveRuns()
    pending: dict[object, None] = {1: None}
    live.count_also(1, lambda: len(pending))
    waiter = threading.Thread(target=live.wait_until_idle, args=(60.0, lambda: True))
    waiter.start()
    while not live._idle:
        pass
    pending.clear()
    live.request_ended()
    waiter.join(30)
    assert not waiter.is_alive()


def test_who_waits_is_woken_by_the_last_run() -> None:
    live = LiveRuns()
    live.begin(7)
    waiter = threading.Thread(target=live.wait_until_idle, args=(60.0, lambda: True))
    waiter.start()
    while not live._idle:
        pass
    live.ended(7, cut_off=False)
    waiter.join(30)
    assert not waiter.is_alive()
    assert live.cut_off == 0


def test_the_time_is_a_bound() -> None:
    live = LiveRuns()
    live.begin(1)
    live.wait_until_idle(0.0, lambda: True)
    live.withdraw(1)
    live.wait_until_idle(0.0, lambda: False)
    assert not live._idle
