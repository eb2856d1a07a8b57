from __future__ import annotations

from collections.abc import Iterator

import pytest

from slither_actors.pools.worker.deadline import Deadline
from supervisors import LightActor, Normal
from supervisors.testing import ManualScheduler


class Owner(LightActor):
    def __init__(self, made: list[Owner]) -> None:
        super().__init__()
        self.reached: list[float] = []
        self.deadline = Deadline(self, self.reached.append)
        made.append(self)


@pytest.fixture
def scheduler() -> Iterator[ManualScheduler]:
    made = ManualScheduler()
    yield made
    made.stop()


@pytest.fixture
def owner(scheduler: ManualScheduler) -> Owner:
    made: list[Owner] = []
    Owner.start(made, scheduler=scheduler)
    scheduler.run_until_idle()
    return made[0]


def test_the_last_one_that_was_set_counts(owner: Owner, scheduler: ManualScheduler) -> None:
    now = scheduler.now()
    for at in (now + 5, now + 9, now + 2, now + 3):
        owner.deadline.set(at)
    scheduler.advance(2.9)
    assert owner.reached == []
    scheduler.advance(10)
    assert owner.reached == [now + 3]
    assert owner.deadline.at == now + 3


def test_one_that_moves_away_takes_no_other_timer(owner: Owner, scheduler: ManualScheduler) -> None:
    for seconds in range(1, 100):
        owner.deadline.set(scheduler.now() + seconds)
        assert scheduler.pending_timers == 1
    owner.deadline.set(scheduler.now())
    assert scheduler.pending_timers == 1


@pytest.mark.parametrize("how", ["set", "at"])
def test_one_that_is_taken_away_is_never_reached(owner: Owner, scheduler: ManualScheduler, how: str) -> None:
    owner.deadline.set(scheduler.now() + 1)
    if how == "set":
        owner.deadline.set(None)
    else:
        owner.deadline.at = None
    scheduler.advance(10)
    assert owner.reached == []
    assert scheduler.pending_timers == 0


def test_one_that_is_over_already_is_reached_at_once(owner: Owner, scheduler: ManualScheduler) -> None:
    at = scheduler.now() - 1
    owner.deadline.set(at)
    scheduler.advance(0)
    assert owner.reached == [at]


def test_it_ends_with_its_actor(owner: Owner, scheduler: ManualScheduler) -> None:
    owner.deadline.set(scheduler.now() + 1)
    owner.exit(Normal())
    scheduler.advance(10)
    assert owner.reached == []


# --- standstills: a clock that jumps, as it does for a process that was stopped


def stand_still(scheduler: ManualScheduler, seconds: float) -> None:
    scheduler.clock.now += seconds
    scheduler.run_until_idle()


@pytest.mark.parametrize("span", [0.3, 5.0, 60.0])
@pytest.mark.parametrize("ran", [0.1, 0.9])
@pytest.mark.parametrize("stood", [2.5, 30.0, 100_000.0])
def test_a_standstill_is_no_time_that_was_had(
    owner: Owner, scheduler: ManualScheduler, span: float, ran: float, stood: float
) -> None:
    """What was left before it is left after it, a second more at the most, and never more than what was given."""
    begin = scheduler.now()
    owner.deadline.set(begin + span, span)
    scheduler.advance(ran * span)
    stand_still(scheduler, stood)
    assert owner.reached == []
    scheduler.advance((1.0 - ran) * span - 0.001)
    assert owner.reached == []
    scheduler.advance(1.002)
    assert len(owner.reached) == 1


def test_one_that_would_not_have_been_missed_is_moved_too(owner: Owner, scheduler: ManualScheduler) -> None:
    begin = scheduler.now()
    owner.deadline.set(begin + 30, 30.0)
    scheduler.advance(5)
    stand_still(scheduler, 20)
    scheduler.advance(20)
    assert owner.reached == []
    scheduler.advance(5.1)
    assert len(owner.reached) == 1


def test_a_host_that_starves_its_own_threads_gets_there(owner: Owner, scheduler: ManualScheduler) -> None:
    """Each turn comes late: in all the deadline is moved by the time that was given."""
    begin = scheduler.now()
    owner.deadline.set(begin + 10, 10.0)
    while not owner.reached:
        scheduler.advance(0.5)
        stand_still(scheduler, 2.5)
        assert scheduler.now() < begin + 40
    assert begin + 10 <= owner.reached[0] <= begin + 20 + 1.0
    assert scheduler.now() <= begin + 20 + 1.0 + 3.0


def test_what_is_late_by_less_is_only_slow(owner: Owner, scheduler: ManualScheduler) -> None:
    at = scheduler.now() + 0.8
    owner.deadline.set(at, 0.8)
    stand_still(scheduler, 1.75)
    assert owner.reached == [at]


def test_one_without_a_span_is_never_moved(owner: Owner, scheduler: ManualScheduler) -> None:
    at = scheduler.now() + 5
    owner.deadline.set(at)
    stand_still(scheduler, 100)
    assert owner.reached == [at]


def test_the_next_one_may_be_moved_again(owner: Owner, scheduler: ManualScheduler) -> None:
    for _ in range(3):
        owner.deadline.set(scheduler.now() + 2, 2.0)
        scheduler.advance(1.5)
        stand_still(scheduler, 50)
        assert owner.reached == []


def test_one_set_during_the_last_look_moves_by_its_own_span(owner: Owner, scheduler: ManualScheduler) -> None:
    owner.deadline.set(scheduler.now() + 60, 60.0)
    scheduler.advance(0.7)
    owner.deadline.set(scheduler.now() + 0.2, 0.2)
    stand_still(scheduler, 10)
    assert owner.reached == []
    scheduler.advance(0.21)
    assert len(owner.reached) == 1
