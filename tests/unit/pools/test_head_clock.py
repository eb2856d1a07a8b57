"""The clock of the first request in a pipe, with real timers on a scheduler whose time the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slither_actors import BatchTimeout, LoadError, StartTimeout, WorkerCrashed
from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.worker.blame import SPARED, WHOLE, Charge
from slither_actors.pools.worker.head_clock import HeadClock
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.wire.header import REPLY, Frame
from supervisors import LightActor
from supervisors.testing import ManualScheduler

START = 1000.0
START_TIMEOUT = 10.0
EACH = Target(None, "score", each=True)


class Bench(LightActor):
    """The actor whose timers these are, and the requests and the worker of the clock."""

    def __init__(self, made: list[Bench]) -> None:
        super().__init__()
        self.requests = RequestQueue()
        self.reached: list[float] = []
        self.clock = HeadClock(self, self.requests, START_TIMEOUT, self.reached.append)
        self.at: Progress | None = None
        made.append(self)

    def progress(self) -> Progress | None:
        """Return where the worker is, as its host does."""
        return self.at

    def put(self, count: int = 4, target: Target = EACH, **bounds: float | None) -> Job:
        """Put a batch into the pipe, and time what is first in it then."""
        run_queue = RunQueue(**{"max_in_flight": 1, "ahead": True, "timeout": None, **bounds})  # type: ignore[arg-type]
        job = Job(run_queue, 1, count, target)
        self.requests.put([job])
        self.clock.restart(self.scheduler.now())
        return job

    def is_at(self, job: Job, index: int, seconds: float = 0.0) -> None:
        """Have the worker report an item."""
        self.at = Progress(job.request_id, index, seconds)

    def goes_on(self) -> bool:
        """Ask the clock, with this as the host."""
        host: Any = self
        return self.clock.goes_on(host)


@pytest.fixture
def it(manual: ManualScheduler) -> Bench:
    made: list[Bench] = []
    Bench.start(made, scheduler=manual)
    manual.run_until_idle()
    return made[0]


# --- what is timed


@pytest.mark.parametrize(
    ("bounds", "seconds"),
    [
        ({"timeout": 5.0}, 5.0),
        ({"batch_timeout": 3.0}, 3.0),
        ({"timeout": 9.0, "batch_timeout": 3.0}, 3.0),
        ({"timeout": 3.0, "batch_timeout": 9.0}, 3.0),
    ],
)
def test_a_batch_has_the_shorter_of_its_bounds(
    it: Bench, manual: ManualScheduler, bounds: dict[str, float], seconds: float
) -> None:
    job = it.put(**bounds)
    assert it.clock.head is job
    assert (it.clock.since, job.began) == (START, START)
    manual.advance(seconds - 0.1)
    assert it.reached == []
    manual.advance(0.1)
    assert it.reached == [START + seconds]


def test_the_next_batch_has_its_whole_time(it: Bench, manual: ManualScheduler) -> None:
    first, second = it.put(timeout=5.0), it.put(timeout=5.0)
    manual.advance(4.0)
    it.requests.replies([Frame(REPLY, 0, 1, first.request_id, first.count, 0, b"", b"")])
    it.clock.restart(manual.now())
    assert it.clock.head is second
    assert (it.clock.since, first.began, second.began) == (START + 4, START, START + 4)
    manual.advance(4.9)
    assert it.reached == []
    manual.advance(0.1)
    assert it.reached == [START + 9]


def test_a_load_has_the_time_of_a_start_and_is_no_batch(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(target=Target("module", "function"), timeout=1.0)
    assert it.clock.head is None
    assert job.began == 0.0
    manual.advance(START_TIMEOUT)
    assert it.reached == [START + START_TIMEOUT]
    error = it.clock.overdue_error()
    assert isinstance(error, LoadError)
    assert isinstance(error.reason, StartTimeout)
    assert error.reason.timeout == START_TIMEOUT
    it.is_at(job, 1)
    it.clock.look(it.at)
    assert not it.goes_on()
    assert it.clock.charge(error) is WHOLE


def test_a_start_is_timed_before_there_is_any_request(it: Bench, manual: ManualScheduler) -> None:
    it.clock.time_start(manual.now())
    assert it.clock.head is None
    manual.advance(START_TIMEOUT)
    assert it.reached == [START + START_TIMEOUT]


def empty(it: Bench) -> None:
    it.clock.restart(START)


def unbounded(it: Bench) -> None:
    it.put(timeout=None)


def stopped(it: Bench) -> None:
    it.clock.stop()


@pytest.mark.parametrize("how", [empty, unbounded, stopped])
def test_a_deadline_that_is_taken_away_never_comes(
    it: Bench, manual: ManualScheduler, how: Callable[[Bench], None]
) -> None:
    it.clock.time_start(START)
    assert not it.clock.moved_since(START + START_TIMEOUT)
    how(it)
    assert it.clock.moved_since(START + START_TIMEOUT)
    manual.advance(1000.0)
    assert it.reached == []


def test_a_deadline_that_came_stands_until_it_is_moved(it: Bench, manual: ManualScheduler) -> None:
    it.put(timeout=5.0)
    manual.advance(5.0)
    (missed,) = it.reached
    assert not it.clock.moved_since(missed)
    it.clock.restart(manual.now())
    assert it.clock.moved_since(missed)


# --- where the worker is


def test_each_item_has_its_time_from_its_own_beginning(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=5.0)
    manual.advance(5.0)
    it.is_at(job, 1, seconds=2.0)
    assert it.goes_on()
    manual.advance(2.9)
    assert it.reached == [START + 5]
    manual.advance(0.1)
    assert it.reached == [START + 5, START + 8]
    assert not it.goes_on()  # it is at the same item
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert (error.of, error.timeout, error.done, error.count) == ("item", 5.0, 1, 4)


def test_the_bound_of_the_batch_holds_however_it_goes_on(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=5.0, batch_timeout=7.0)
    manual.advance(5.0)
    it.is_at(job, 1)
    assert it.goes_on()
    manual.advance(2.0)
    assert it.reached == [START + 5, START + 7]
    it.is_at(job, 2)
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert (error.option, error.timeout) == ("batch_timeout", 7.0)


@pytest.mark.parametrize("report", [None, Progress(0, 0, 0.0), Progress(987_654_321, 2, 0.0)])
def test_one_that_reports_no_item_does_not_go_on(it: Bench, manual: ManualScheduler, report: Progress | None) -> None:
    it.put(timeout=5.0, batch_timeout=20.0)
    manual.advance(5.0)
    it.at = report
    assert not it.goes_on()
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert (error.of, error.timeout, error.done) == ("batch", 5.0, None)


def test_without_bounds_there_is_no_deadline_to_go_on_to(it: Bench) -> None:
    job = it.put(timeout=None)
    it.is_at(job, 1)
    assert not it.goes_on()


def test_with_an_empty_pipe_nothing_goes_on(it: Bench) -> None:
    it.at = Progress(1, 1, 0.0)
    assert not it.goes_on()
    it.clock.look(it.at)
    assert it.clock.charge(WorkerCrashed(1)) is WHOLE


# --- what an end costs


def test_the_item_of_the_last_look_is_charged(it: Bench) -> None:
    job = it.put(timeout=5.0)
    assert it.clock.charge(WorkerCrashed(1)) is WHOLE  # nothing was ever said
    it.is_at(job, 2)
    it.clock.look(it.at)
    it.is_at(job, 3)
    assert it.clock.charge(WorkerCrashed(1)) == Charge(2)
    assert it.clock.charge(BatchTimeout(5.0)) == Charge(2)


def test_a_worker_that_was_at_no_item_yet_is_spared(it: Bench) -> None:
    it.put(timeout=5.0)
    it.clock.look(Progress(0, 0, 0.0))
    assert it.clock.charge(WorkerCrashed(1)) is SPARED
    assert it.clock.charge(BatchTimeout(5.0)) is SPARED


def test_the_bound_of_the_batch_charges_it_whole(it: Bench) -> None:
    job = it.put(batch_timeout=5.0)
    it.is_at(job, 2)
    it.clock.look(it.at)
    assert it.clock.charge(BatchTimeout(5.0, option="batch_timeout")) is WHOLE


def test_a_late_reply_is_charged_whole_and_a_crash_spared(it: Bench) -> None:
    job = it.put(count=4, timeout=5.0)
    it.is_at(job, 4)
    it.clock.look(it.at)
    assert it.clock.charge(BatchTimeout(5.0)) is WHOLE
    assert it.clock.charge(WorkerCrashed(1)) is SPARED


# --- standstills


def stand_still(manual: ManualScheduler, seconds: float) -> None:
    """Move the clock while nothing runs."""
    manual.clock.now += seconds
    manual.run_until_idle()


def test_a_standstill_is_no_time_that_the_batch_had(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=5.0, batch_timeout=5.0)
    manual.advance(1.0)
    stand_still(manual, 20.0)
    assert it.reached == []
    # Four seconds were left at the look before it.
    assert job.began == START + 20
    manual.advance(3.9)
    assert it.reached == []
    manual.advance(0.1)
    assert it.reached == [START + 25]
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert error.option == "batch_timeout"


def test_a_standstill_is_no_time_that_the_item_had(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(timeout=5.0)
    manual.advance(5.0)
    it.is_at(job, 1)
    assert it.goes_on()
    manual.advance(1.0)
    stand_still(manual, 20.0)
    manual.advance(3.0)
    it.clock.look(it.at)
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert error.of == "batch"  # the item has not had its time
    manual.advance(1.0)
    error = it.clock.overdue_error()
    assert isinstance(error, BatchTimeout)
    assert error.of == "item"
    assert it.reached == [START + 5, START + 30]


def test_a_standstill_in_a_load_moves_its_deadline(it: Bench, manual: ManualScheduler) -> None:
    job = it.put(target=Target("module", "function"), timeout=1.0)
    manual.advance(1.0)
    stand_still(manual, 50.0)
    manual.advance(8.9)
    assert (it.reached, job.began) == ([], 0.0)
    manual.advance(0.1)
    assert it.reached == [START + 60]
