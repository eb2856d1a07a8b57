"""The Assigner with slots and run queues of the test's own, without actors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.a_run import Recorder

from slither_actors.errors import SessionBusy
from slither_actors.pools.assigner import Assigner
from slither_actors.pools.assignment.job import Job, RunQueue, Send, WorkerSlot
from supervisors.testing import ManualScheduler


class Bench:
    """Two workers, and runs that wait for them."""

    def __init__(self, scheduler: ManualScheduler) -> None:
        self.assigner = Assigner(2, scheduler)
        self.workers = [Recorder() for _ in range(2)]
        for slot, worker in zip(self.assigner.slots.all, self.workers, strict=True):
            slot.ref = worker
            self.assigner.slots.up(slot)

    def run(self, jobs: int, **options: Any) -> RunQueue:
        queue = RunQueue(**{"max_in_flight": 2, "ahead": False, "timeout": None, **options})
        queue.collector = Recorder()
        queue.waiting.extend(Job(queue, ref, 1) for ref in range(jobs))
        self.assigner.line.join(queue)
        return queue

    def sent(self) -> list[list[int]]:
        """Return the numbers of the jobs that each worker was sent."""
        return [[job.ref for message in worker.take() for job in _jobs(message)] for worker in self.workers]

    def done(self, slot: WorkerSlot) -> None:
        job = slot.jobs.pop(0)
        self.assigner.give(slot, job.run_queue)
        self.assigner.assign((job.run_queue,))


def _jobs(message: Any) -> list[Job]:
    assert isinstance(message, Send)
    return message.jobs


@pytest.fixture
def bench() -> Iterator[Bench]:
    scheduler = ManualScheduler()
    yield Bench(scheduler)
    scheduler.stop()


def test_each_idle_worker_gets_a_job(bench: Bench) -> None:
    bench.run(3)
    bench.assigner.assign()
    assert bench.sent() == [[0], [1]]
    bench.done(bench.assigner.slots.all[0])
    assert bench.sent() == [[2], []]


def test_two_runs_share_the_workers(bench: Bench) -> None:
    first, second = bench.run(2), bench.run(2)
    bench.assigner.assign((first, second))
    assert [slot.jobs[0].run_queue for slot in bench.assigner.slots.all] == [first, second]


def test_a_run_keeps_to_its_max_in_flight(bench: Bench) -> None:
    queue = bench.run(2, max_in_flight=1)
    bench.assigner.assign((queue,))
    assert bench.sent() == [[0], []]
    assert list(bench.assigner.line.parked) == [queue]
    bench.done(bench.assigner.slots.all[0])
    assert [ref for sent in bench.sent() for ref in sent] == [1]


def test_a_bound_session_waits_for_its_own_worker(bench: Bench) -> None:
    queue = bench.run(2, session="s", affinity="strict")
    bench.assigner.assign((queue,))
    assert bench.sent() == [[0], []]
    assert list(bench.assigner.line.parked) == ["s"]
    bench.done(bench.assigner.slots.all[0])
    assert bench.sent() == [[1], []]


def test_fail_fast_fails_while_its_session_is_busy(bench: Bench) -> None:
    first = bench.run(1, session="s", affinity="strict")
    bench.assigner.assign((first,))
    second = bench.run(1, session="s", affinity="fail_fast")
    bench.assigner.assign((second,))
    collector: Any = second.collector
    ((_, error),) = collector.take()[0].ended
    assert isinstance(error, SessionBusy)
    assert len(bench.assigner.line) == 0


def test_a_run_that_waits_for_nothing_leaves_the_line(bench: Bench) -> None:
    first, second = bench.run(3), bench.run(1)
    first.waiting.clear()
    bench.assigner.nothing_waits(first)
    assert bench.sent() == [[0], []]
    assert second.place is None
    bench.assigner.nothing_waits(first)
