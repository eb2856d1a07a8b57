"""The requests of a worker with several places against the worker itself: begun in order, answered in any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.worker.concurrent_queue import MOST_DEATHS, ConcurrentQueue
from slither_actors.pools.worker.load_request import LoadRequest
from slither_actors.wire.header import FAILURE, LOADED, REPLY, Frame


class Worker:
    """Begins requests in their order, while one of its places is free; nothing beside those behind which all wait."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.waiting: list[Job | LoadRequest] = []
        self.busy: list[Job | LoadRequest] = []

    def begin(self) -> None:
        """Begin what it can."""
        while self.waiting and len(self.busy) < self.places and not any(map(is_barrier, self.busy)):
            if self.busy and is_alone(self.waiting[0]):
                return
            self.busy.append(self.waiting.pop(0))


def is_alone(request: Job | LoadRequest) -> bool:
    """Whether it is executed beside no other."""
    return isinstance(request, Job) and request.deaths >= MOST_DEATHS


def is_barrier(request: Job | LoadRequest) -> bool:
    """Whether nothing begins beside it."""
    return isinstance(request, LoadRequest) or is_alone(request)


@given(st.data(), st.integers(2, 5), st.lists(st.integers(0, 2), min_size=1, max_size=20))
def test_the_host_knows_what_has_begun(data: st.DataObject, places: int, functions: list[int]) -> None:
    targets = [Target("m", str(number)) for number in range(3)]
    run_queue = RunQueue(max_in_flight=9, ahead=True, timeout=None)
    queue, worker = ConcurrentQueue(places), Worker(places)
    jobs = [Job(run_queue, number, 1, targets[function]) for number, function in enumerate(functions)]
    for job in jobs:
        job.deaths = data.draw(st.integers(0, MOST_DEATHS))
    sent, answered = 0, []
    while len(answered) < len(jobs):
        if sent < len(jobs) and (not worker.busy or data.draw(st.booleans())):
            count = data.draw(st.integers(1, len(jobs) - sent))
            queue.put(jobs[sent : sent + count])
            sent += count
            worker.waiting = [one for one in queue._queue if one not in worker.busy]
        worker.begin()
        assert queue.begun() == worker.busy
        at = data.draw(st.integers(0, len(worker.busy) - 1))
        done = worker.busy.pop(at)
        kind = LOADED if type(done) is LoadRequest else data.draw(st.sampled_from([REPLY, FAILURE]))
        frame = Frame(kind, 0, 1, done.request_id, 1, 0, b"", b"")
        ended, wrong = queue.answer([frame])
        assert wrong is None
        if isinstance(done, Job):
            assert ended == [(done, frame)]
            answered.append(done)
    assert len(queue) == 0


@given(st.integers(2, 5), st.integers(1, 12), st.data())
def test_an_answer_to_what_has_not_begun_is_wrong(places: int, count: int, data: st.DataObject) -> None:
    run_queue = RunQueue(max_in_flight=9, ahead=True, timeout=None)
    queue = ConcurrentQueue(places)
    jobs = [Job(run_queue, number, 1, Target(None, "c")) for number in range(count)]
    queue.put(jobs)
    at = data.draw(st.integers(0, count - 1))
    ended, wrong = queue.answer([Frame(REPLY, 0, 1, jobs[at].request_id, 1, 0, b"", b"")])
    assert bool(ended) == (at < places)
    assert (wrong is None) == (at < places)
    assert len(queue) == count - len(ended)


@pytest.mark.parametrize("count", [0, 2, 3, 7])
def test_a_death_ends_what_had_begun_alone(count: int) -> None:
    run_queue = RunQueue(max_in_flight=9, ahead=True, timeout=None)
    queue = ConcurrentQueue(3)
    jobs = [Job(run_queue, number, 1, Target(None, "c")) for number in range(count)]
    queue.put(jobs)
    error = ValueError("broken")
    assert queue.died(error) == [(job, error) for job in jobs[:3]]
    assert len(queue) == 0
