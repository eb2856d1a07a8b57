"""The restart budget of a pool, as a pure policy: what counts, what resets it, and how long restarts wait."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.pools.worker.restart_budget import FAILED_START, PoolRestarts, WorkerEnd
from supervisors import Backoff, Crashed

REASON = Crashed(OSError("gone"))
AT_WORK = WorkerEnd(at_work=True)


class Pool:
    """A policy with a clock and a count of completed batches that the test sets."""

    def __init__(self, max_restarts: int | None = 3, backoff: Backoff | None = None, max_seconds: float = 5.0) -> None:
        self.now = 0.0
        self.done = 0
        self.restarts = PoolRestarts(max_restarts, max_seconds, backoff or Backoff(), lambda: self.done)

    def ends(self, how: WorkerEnd | None = AT_WORK, child: Any = 0, completed: int = 0) -> float | None:
        self.done += completed
        if how is not None:
            self.restarts.ended(child, how)
        return self.restarts.delay(child, REASON, self.now)


def test_deaths_with_an_item_completed_between_them_never_count() -> None:
    pool = Pool(0)
    assert [pool.ends(completed=1) for _ in range(1000)] == [0.0] * 1000
    assert pool.restarts.why is None


@pytest.mark.parametrize("apart", [0.0, 1.0, 100.0])
def test_deaths_at_work_in_a_row_end_it_however_far_apart(apart: float) -> None:
    pool = Pool(3)
    for _ in range(3):
        assert pool.ends() is not None
        pool.now += apart
    assert pool.ends() is None
    why = pool.restarts.why
    assert why is not None
    assert "max_restarts=3" in why
    assert "PoolSpec(max_restarts=None) lifts that" in why
    assert why.endswith("gone")


def test_one_completed_item_resets_the_counter_and_the_pauses() -> None:
    pool = Pool(3)
    assert [pool.ends() for _ in range(3)] == [0.0, 0.05, 0.1]
    assert pool.ends(completed=1) == 0.0
    assert [pool.ends() for _ in range(3)] == [0.0, 0.05, 0.1]
    assert pool.ends() is None


def test_items_completed_without_a_reply_reset_it_as_well() -> None:
    pool = Pool(1)
    for _ in range(10):
        pool.restarts.completed_items(40)
        assert pool.ends() == 0.0
    pool.restarts.completed_items(0)
    assert pool.ends() == 0.0
    assert pool.ends() is None


def test_the_streak_is_the_pools_whichever_worker_dies() -> None:
    pool = Pool(3)
    assert [pool.ends(child=child) for child in range(4)] == [0.0, 0.0, 0.0, None]


def test_failed_starts_count_though_others_complete_items() -> None:
    pool = Pool(3)
    pauses = [pool.ends(FAILED_START, completed=1) for _ in range(8)]
    # Others get work done, so the pool goes on, and this one is tried less and less often.
    assert pauses == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


def test_failed_starts_with_nothing_completed_use_the_budget_up() -> None:
    pool = Pool(3)
    assert [pool.ends(FAILED_START) for _ in range(4)] == [0.0, 0.05, 0.1, None]
    assert "4 workers died or failed to start in 5 s" in (pool.restarts.why or "")


def test_failed_starts_that_are_far_apart_do_not() -> None:
    pool = Pool(3)
    for _ in range(100):
        assert pool.ends(FAILED_START) is not None
        pool.now += 5.0


def test_idle_workers_that_are_killed_now_and_then_end_nothing() -> None:
    pool = Pool(3)
    for _ in range(100):
        assert pool.ends(WorkerEnd(from_outside=True, lived=10.0)) == 0.0
        pool.now += 5.0


def test_a_worker_that_lived_for_long_is_one_that_can_live() -> None:
    pool = Pool(3)
    for _ in range(100):
        assert pool.ends(WorkerEnd(at_work=True, lived=6.0)) == 0.0
        pool.now += 6.0


def test_an_idle_worker_that_ends_at_once_is_no_hot_loop() -> None:
    pool = Pool(3)
    pauses = [pool.ends(WorkerEnd(), completed=1) for _ in range(10)]
    assert pauses[-1] == 5.0
    assert pool.restarts.why is None


def test_pauses_of_deaths_stay_short_within_a_budget() -> None:
    bounded, unbounded = Pool(20), Pool(None)
    pauses = [bounded.ends() for _ in range(21)]
    assert pauses[-1] is None
    assert sum(filter(None, pauses)) < 2.0
    assert [unbounded.ends() for _ in range(1000)][-1] == 5.0


def test_a_longer_pause_that_the_user_asks_for_is_kept() -> None:
    pool = Pool(20, Backoff(base=1.0))
    assert [pool.ends() for _ in range(4)] == [0.0, 1.0, 1.0, 1.0]


def test_a_kill_from_outside_waits_for_nothing_and_counts() -> None:
    pool = Pool(3)
    killed = WorkerEnd(at_work=True, from_outside=True)
    assert [pool.ends(killed) for _ in range(4)] == [0.0, 0.0, 0.0, None]


def test_an_executor_that_fails_itself_counts() -> None:
    pool = Pool(1)
    assert pool.ends(None) == 0.0
    assert pool.ends(None) is None


def test_half_way_to_its_end_other_work_is_to_be_tried() -> None:
    pool = Pool(4)
    seen = []
    for _ in range(4):
        pool.ends()
        seen.append(pool.restarts.doubtful)
    assert seen == [False, True, True, True]
    pool.ends(completed=1)
    assert not pool.restarts.doubtful
    assert not Pool(0).restarts.doubtful
    assert not Pool(None).restarts.doubtful
