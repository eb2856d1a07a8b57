"""A pool that bounds how many wait, and for how long; its workers are played by the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.pool_bench import Bench, reply_to

from slither_actors.errors import Overloaded, QueueTimeout, WorkerCrashed
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.bounded_pool import BoundedPool
from slither_actors.pools.messages import Submit
from slither_actors.pools.pool import Pool

Make = Callable[..., Bench]


class Shared(RunQueue):
    """The run queue of requests."""

    shared = True


def lane(it: Bench) -> Any:
    made = Shared(max_in_flight=1 << 30, ahead=False, timeout=30.0)
    made.collector = it.run_queue().collector
    return made


def a_run(it: Bench, *refs: int) -> Any:
    run_queue = it.run_queue(ahead=False)
    it.submit(run_queue, *refs)
    return run_queue


def refused(run_queue: Any) -> list[int]:
    return [ref for ref, outcome in run_queue.collector.ended if isinstance(outcome, Overloaded)]


def expired(run_queue: Any) -> list[int]:
    return [ref for ref, outcome in run_queue.collector.ended if isinstance(outcome, QueueTimeout)]


def bodies(it: Bench) -> list[bytes]:
    return [bytes(call.body) for host in it.hosts for call in host.calls()]


def answer(it: Bench) -> None:
    """Answer the last call of the one worker."""
    it.do(it.host.say, reply_to(it.host.calls()[-1]))


def test_a_pool_without_bounds_is_the_plain_one(bench: Make) -> None:
    assert type(bench().start().link.pool) is Pool
    assert type(bench(max_waiting=1).start().link.pool) is BoundedPool
    assert type(bench(queue_timeout=1.0).start().link.pool) is BoundedPool


def test_one_run_more_than_may_wait_is_refused(bench: Make) -> None:
    it = bench(max_waiting=2).start()
    served, *waiting = [a_run(it, number) for number in (1, 2, 3)]
    late = a_run(it, 4, 5)
    assert refused(late) == [4, 5]
    error = late.collector.of(4)
    assert (error.what, error.bound) == ("pool 'p'", 2)
    assert "PoolSpec(max_waiting=...)" in str(error)
    assert [refused(each) for each in (served, *waiting)] == [[], [], []]
    assert bodies(it) == [b"body 1"]
    assert (it.counts.overloaded, it.pool.unserved, it.pool.max_waiting) == (1, 2, 2)


def test_what_comes_of_a_refused_run_later_is_refused_too(bench: Make) -> None:
    it = bench(max_waiting=0).start()
    a_run(it, 1)
    late = a_run(it, 2)
    answer(it)
    it.submit(late, 3)
    assert refused(late) == [2, 3]
    assert it.counts.overloaded == 1


def test_with_no_place_to_wait_idle_workers_still_serve(bench: Make) -> None:
    it = bench(size=2, max_waiting=0).start()
    requests = lane(it)
    it.submit(requests, 1, 2, 3)
    assert refused(requests) == [3]
    assert sorted(bodies(it)) == [b"body 1", b"body 2"]


def test_a_run_that_is_served_is_never_refused(bench: Make) -> None:
    it = bench(max_waiting=1).start()
    run_queue = a_run(it, 1)
    a_run(it, 10)
    it.submit(run_queue, 2, 3, 4)
    assert refused(run_queue) == []
    answer(it)  # the other run has its turn
    it.submit(run_queue, 5)
    assert refused(run_queue) == []


def test_a_run_that_waits_may_send_more(bench: Make) -> None:
    it = bench(max_waiting=1).start()
    a_run(it, 1)
    waits = a_run(it, 2)
    it.submit(waits, 3, 4)
    assert refused(waits) == []
    assert it.pool.unserved == 1


def test_requests_count_one_by_one_and_the_newest_go(bench: Make) -> None:
    it = bench(max_waiting=3).start()
    requests = lane(it)
    it.submit(requests, 1, 2)
    run = a_run(it, 20)
    it.submit(requests, 3, 4, 5)
    assert refused(requests) == [4, 5]
    assert refused(run) == []
    assert it.counts.overloaded == 2
    assert requests.over is None  # the next ones are welcome when there is room
    answer(it)
    it.submit(requests, 6)
    assert refused(requests) == [4, 5]


def test_what_a_dead_worker_had_not_begun_is_not_refused(bench: Make) -> None:
    it = bench(max_waiting=1).start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    it.submit(run_queue, 1, 2)
    other = a_run(it, 10)
    it.do(it.host.die, 3)
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)  # type: ignore[attr-defined]
    assert refused(run_queue) == refused(other) == []


def test_another_attempt_of_a_request_is_not_refused(bench: Make) -> None:
    it = bench(max_waiting=1).start()
    a_run(it, 1)
    waits = a_run(it, 2)
    again = it.run_queue(ahead=False)
    it.submit(again, 3, front=True)
    assert refused(again) == []
    assert it.pool.unserved == 1  # nor does it take the place of one that waits
    it.close(waits)
    assert it.pool.unserved == 0


def test_closed_and_cancelled_ones_make_room(bench: Make) -> None:
    it = bench(max_waiting=2).start()
    a_run(it, 1)
    first = a_run(it, 2)
    requests = lane(it)
    (request,) = it.submit(requests, 3)
    it.close(first)
    it.cancel(requests, request)
    assert it.pool.unserved == 0
    assert refused(a_run(it, 4)) == []


def test_what_waits_too_long_fails(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    a_run(it, 1)
    waits = a_run(it, 2)
    it.scheduler.advance(1.9)
    assert waits.collector.ended == []
    it.scheduler.advance(0.2)
    assert expired(waits) == [2]
    assert (waits.collector.of(2).pool, waits.collector.of(2).seconds) == ("p", 2.0)
    assert (it.counts.queue_timeouts, it.pool.waiting) == (1, 0)
    answer(it)
    assert bodies(it) == [b"body 1"]


def test_each_request_waits_for_itself(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    requests = lane(it)
    it.submit(requests, 1, 2)
    it.scheduler.advance(1.0)
    it.submit(requests, 3)
    it.scheduler.advance(1.01)
    assert expired(requests) == [2]
    it.scheduler.advance(1.01)
    assert expired(requests) == [2, 3]
    it.scheduler.advance(10.0)
    assert expired(requests) == [2, 3]  # 1 was sent in time


def test_a_run_with_something_at_a_worker_does_not_wait(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    run_queue = a_run(it, 1, 2, 3)
    it.scheduler.advance(20.0)
    assert expired(run_queue) == []
    other = a_run(it, 10)
    answer(it)
    answer(it)  # 2 is done, 10 is served, the run waits
    assert bodies(it)[-1] == b"body 10"
    it.scheduler.advance(1.9)
    assert expired(run_queue) == []
    it.scheduler.advance(2.2)
    assert expired(run_queue) == [3]
    assert expired(other) == []


def test_the_time_of_a_run_begins_again_when_it_is_served(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    run_queue = a_run(it, 1, 2, 3)
    a_run(it, 10)
    it.scheduler.advance(1.0)
    answer(it)
    answer(it)  # 2 is done, and 10 is at the worker
    assert bodies(it)[-1] == b"body 10"
    it.scheduler.advance(1.9)  # 3 has waited for 2.9 s, and its run for 1.9
    assert expired(run_queue) == []
    it.scheduler.advance(2.2)
    assert expired(run_queue) == [3]


def test_what_comes_back_is_not_timed_again(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    it.scheduler.advance(1.0)
    run_queue = it.run_queue()
    it.warm(run_queue)
    it.submit(run_queue, 1, 2)
    it.greets = False  # the next worker does not get ready
    it.do(it.host.die, 3)
    assert it.counts.redelivered == 1
    it.scheduler.advance(5.0)
    assert expired(run_queue) == []


def test_another_attempt_after_too_long_a_wait_is_timed_again(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    a_run(it, 1)
    waits = it.run_queue(ahead=False)
    (job,) = it.submit(waits, 2)
    it.scheduler.advance(2.1)
    assert expired(waits) == [2]
    it.scheduler.advance(5.0)
    it.link.ref.tell(Submit(waits, [job]))
    it.scheduler.run_until_idle()
    it.scheduler.advance(1.9)
    assert expired(waits) == [2]
    it.scheduler.advance(0.2)
    assert expired(waits) == [2, 2]


def test_a_closed_run_has_no_alarm(bench: Make) -> None:
    it = bench(queue_timeout=2.0).start()
    a_run(it, 1)
    waits = a_run(it, 2)
    it.close(waits)
    it.scheduler.advance(5.0)
    assert waits.collector.ended == []


@pytest.mark.parametrize("bound", [1, 5])
def test_many_that_come_and_go_leave_the_count_right(bench: Make, bound: int) -> None:
    it = bench(max_waiting=bound, queue_timeout=3.0).start()
    runs = [a_run(it, number) for number in range(10)]
    assert sum(len(refused(run)) for run in runs) == 10 - 1 - bound
    it.scheduler.advance(3.1)
    assert sum(len(expired(run)) for run in runs) == bound
    assert it.pool.unserved == it.pool.waiting == 0
    assert it.link.pool._waiting.clocks == {}
