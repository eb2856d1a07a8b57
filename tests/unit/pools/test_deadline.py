from __future__ import annotations

from collections.abc import Iterator

import pytest

from slither_actors.pools.deadline import Deadline
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
