"""The clocks of the requests that a worker executes at the same time; the test moves the time."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors import BatchTimeout, LoadError, StartTimeout, WorkerCrashed
from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.worker.blame import SPARED, WHOLE, Charge
from slither_actors.pools.worker.concurrent_queue import Charges, ConcurrentQueue
from slither_actors.pools.worker.slot_clocks import SlotClocks
from slither_actors.wire.header import REPLY, Frame
from supervisors import LightActor
from supervisors.testing import ManualScheduler

EACH = Target(None, "score", each=True)
START_TIMEOUT = 10.0


class Bench(LightActor):
    """The actor whose timers these are, and the requests and the worker of the clocks."""

    def __init__(self, made: list[Bench]) -> None:
        super().__init__()
        self.requests = ConcurrentQueue(2)
        self.reached: list[float] = []
        self.clock = SlotClocks(self, self.requests, START_TIMEOUT, self.reached.append)
        self.at: Progress | None = None
        made.append(self)

    def progress(self) -> Progress | None:
        """Return where the worker is, as its host does."""
        return self.at

    def put(self, count: int = 4, target: Target = EACH, **bounds: float | None) -> Job:
        """Put a batch into the pipe."""
        run_queue = RunQueue(**{"max_in_flight": 9, "ahead": True, "timeout": None, **bounds})  # type: ignore[arg-type]
        job = Job(run_queue, 1, count, target)
        self.requests.put([job])
        self.clock.restart(self.scheduler.now())
        return job

    def answer(self, job: Job) -> None:
        """Take the answer to a batch."""
        self.requests.answer([Frame(REPLY, 0, 1, job.request_id, job.count, 0, b"", b"")])
        self.clock.restart(self.scheduler.now())

    def goes_on(self) -> bool:
        """Ask the clocks, with this as the host."""
        host: Any = self
        return self.clock.goes_on(host)


@pytest.fixture
def it(manual: ManualScheduler) -> Bench:
    made: list[Bench] = []
    Bench.start(made, scheduler=manual)
    manual.run_until_idle()
    return made[0]


def test_each_is_timed_from_when_it_began(it: Bench, manual: ManualScheduler) -> None:
    first, second, third = (it.put(timeout=10.0) for _ in range(3))
    start = manual.now()
    assert (first.began, second.began, third.began) == (start, start, 0.0)
    manual.advance(4)
    it.answer(second)
    assert (first.began, third.began) == (start, start + 4)
    manual.advance(5)
    it.answer(first)
    assert it.reached == []
    manual.advance(5)
    assert it.reached == [start + 14]


def test_the_earliest_deadline_counts(it: Bench, manual: ManualScheduler) -> None:
    it.put(timeout=10.0)
    short = it.put(timeout=2.0)
    manual.advance(3)
    assert len(it.reached) == 1
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    charges = it.clock.charge(error)
    assert isinstance(charges, Charges)
    assert charges.overdue == short.request_id


def test_one_without_a_bound_is_never_overdue(it: Bench, manual: ManualScheduler) -> None:
    it.put()
    manual.advance(1_000)
    assert it.reached == []


def test_a_load_is_timed_as_a_start(it: Bench, manual: ManualScheduler) -> None:
    it.put(target=Target("m", "f"), timeout=1.0)
    manual.advance(9)
    assert it.reached == []
    manual.advance(2)
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert isinstance(error, LoadError)
    assert isinstance(error.reason, StartTimeout)
    assert it.clock.charge(WorkerCrashed()) == Charges(index=0)


def test_a_new_item_has_a_deadline_of_its_own(it: Bench, manual: ManualScheduler) -> None:
    one, other = it.put(timeout=10.0), it.put(timeout=10.0)
    manual.advance(10.5)
    assert len(it.reached) == 1
    it.at = Progress(one.request_id, 1, 0.5, (Progress(other.request_id, 2, 0.25),))
    assert it.goes_on()
    manual.advance(9)
    assert len(it.reached) == 1
    manual.advance(1)
    assert len(it.reached) == 2
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert (type(error), it.clock.charge(error).index) == (BatchTimeout, 3)


def test_the_bound_of_the_batch_stays(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=10.0, batch_timeout=12.0)
    manual.advance(10.5)
    it.at = Progress(job.request_id, 1, 0.5)
    assert it.goes_on()
    manual.advance(2)
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert error.option == "batch_timeout"
    charges = it.clock.charge(error)
    assert isinstance(charges, Charges)
    assert charges.each == {job.request_id: WHOLE}


def test_a_crash_charges_each_by_its_cursor(it: Bench) -> None:
    at_item, at_none, whole = it.put(), it.put(), it.put()
    it.clock.look(Progress(at_item.request_id, 2, 0.0))
    charges = it.clock.charge(WorkerCrashed())
    assert isinstance(charges, Charges)
    assert charges.each == {at_item.request_id: Charge(2), at_none.request_id: SPARED}
    assert (charges.index, charges.overdue) == (2, 0)
    assert whole.request_id not in charges.each  # it had not begun
    it.clock.look(None)  # of a host that does not know
    charges = it.clock.charge(WorkerCrashed())
    assert isinstance(charges, Charges)
    assert charges.each[at_none.request_id] == WHOLE


def test_what_ended_with_the_worker_before_is_not_charged(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=5.0)
    it.clock.look(Progress(job.request_id, 3, 0.0))
    it.requests.died(WorkerCrashed())
    it.clock.stop()
    assert it.clock.charge(WorkerCrashed()) == Charges(index=0)
    it.clock.time_start(manual.now())
    manual.advance(START_TIMEOUT + 1)
    assert len(it.reached) == 1  # that of the start alone


def test_a_worker_that_cannot_be_asked_is_late_with_the_first(it: Bench, manual: ManualScheduler) -> None:
    it.put(timeout=8.0)
    it.put(timeout=5.0)
    manual.advance(6)
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert error.timeout == 5.0
