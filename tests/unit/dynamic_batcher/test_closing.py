"""When a batch is closed, and with how many calls."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.dynamic_batcher.closing import SPLIT_SECONDS, next_batch


def closed(waiting: int, **more: Any) -> Any:
    given: dict[str, Any] = {
        "full": waiting >= 8,
        "waited": False,
        "ending": False,
        "in_flight": 2,
        "workers": 2,
        "most": 8,
        "seconds": 0.0,
    }
    return next_batch(waiting, **{**given, **more})


def test_while_a_worker_is_idle_nothing_waits() -> None:
    assert closed(1, in_flight=1) == (1, "idle")
    assert closed(5, in_flight=0) == (5, "idle")
    assert closed(100, in_flight=1) == (8, "idle")


def test_while_all_are_busy_a_part_filled_batch_stays_open() -> None:
    assert closed(7) is None


def test_a_full_one_waits_behind_a_busy_worker() -> None:
    assert closed(8) == closed(50, in_flight=3) == (8, "full")


def test_one_that_has_waited_goes_behind_a_busy_worker() -> None:
    assert closed(3, waited=True) == (3, "wait")


def test_at_the_end_nothing_is_held_back() -> None:
    assert closed(3, ending=True) == (3, "end")


@pytest.mark.parametrize("more", [{}, {"waited": True}, {"ending": True}])
def test_no_more_than_one_waits_behind_each_worker(more: dict[str, Any]) -> None:
    assert closed(50, in_flight=4, **more) is None


def test_work_is_spread_over_idle_workers_where_that_pays() -> None:
    assert closed(8, in_flight=0, seconds=SPLIT_SECONDS) == (4, "idle")
    assert closed(3, in_flight=0, seconds=SPLIT_SECONDS) == (2, "idle")
    assert closed(1, in_flight=0, seconds=1.0) == (1, "idle")
    assert closed(8, in_flight=0, seconds=SPLIT_SECONDS / 100) == (8, "idle")
    assert closed(8, in_flight=1, seconds=1.0) == (8, "idle")
