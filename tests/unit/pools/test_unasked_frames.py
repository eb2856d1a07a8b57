"""What a worker says without a request: none of it is taken, as each would leave a batch without an outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.pool_bench import Bench, busy, frame_of, reply_to

from slither_actors import ProtocolError
from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.wire import frames as wire

Make = Callable[..., Bench]


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("with_reply", [False, True])
def test_a_batch_that_nobody_cancelled_is_not_cancelled(bench: Make, which: int, with_reply: bool) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, 3)
    told = [frame_of(wire.CANCELLED, calls[which].request_id)]
    if with_reply:
        told.insert(0, reply_to(calls[0]))
    it.do(it.hosts[0].say, *told)
    assert "kill at 1000" in it.hosts[0].log
    assert it.counts.protocol_errors == {"unasked": 1}
    charged = 2 if with_reply else 1
    assert isinstance(run_queue.collector.of(charged), ProtocolError)
    again = [call.body for call in it.host.calls()]
    assert again == [b"body %d" % ref for ref in range(charged + 1, 4)]  # the others go to the next worker


def test_a_batch_in_execution_is_not_taken_for_cancelled(bench: Make) -> None:
    """The run does not want it, but the worker was not asked: its slot would be free while it is still at it."""
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    jobs = list(it.link.pool._slots.all[0].jobs)
    it.cancel(run_queue, *jobs)
    assert it.host.cancels() == [calls[1].request_id]
    it.do(it.hosts[0].say, frame_of(wire.CANCELLED, calls[0].request_id))
    assert it.counts.protocol_errors == {"unasked": 1}


def test_a_cancel_is_acknowledged_once(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, 3)
    it.cancel(run_queue, it.link.pool._slots.all[0].jobs[2])
    acknowledged = frame_of(wire.CANCELLED, calls[2].request_id)
    it.do(it.hosts[0].say, acknowledged)
    assert it.counts.protocol_errors == {}
    it.do(it.hosts[0].say, acknowledged)
    assert it.counts.protocol_errors == {"unasked": 1}


def test_a_cancel_in_time_counts_also_when_it_is_first_by_then(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, timeout=5.0)
    (_, job) = it.link.pool._slots.all[0].jobs
    it.cancel(run_queue, job)
    it.do(it.hosts[0].say, reply_to(calls[0]))
    it.do(it.hosts[0].say, frame_of(wire.CANCELLED, calls[1].request_id))
    assert (it.pool.in_pipes, it.counts.protocol_errors) == (0, {})
    it.scheduler.advance(100)
    assert len(it.hosts) == 1  # it has no deadline any more


def test_cancels_that_came_too_late_are_not_kept_for_ever() -> None:
    requests = RequestQueue()
    run_queue = RunQueue(max_in_flight=1, ahead=True, timeout=None)
    first = Job(run_queue, 0, 1, Target(None, "f"), b"", b"x")
    requests.put([first])
    for number in range(1, 1000):
        job = Job(run_queue, number, 1, Target(None, "f"), b"", b"x")
        requests.put([job])
        assert requests.cancel(job)
        head = requests.head
        assert head is not None
        frame = frame_of(wire.REPLY, head.request_id, b"\x90", count=1)
        assert requests.replies([frame]) == [head]
    assert len(requests._cancels) <= 3


@pytest.mark.parametrize("kind", [wire.READY, wire.LOADED, wire.CANCELLED, wire.REPLY, wire.FAILURE])
@pytest.mark.parametrize("request_id", [0, 1, 987_654])
def test_an_idle_worker_that_says_anything_is_killed(bench: Make, kind: int, request_id: int) -> None:
    it = bench()
    it.start()
    it.do(it.hosts[0].say, frame_of(kind, request_id))
    assert "kill at 1000" in it.hosts[0].log
    assert sum(it.counts.protocol_errors.values()) == 1
    assert it.pool.ready == 1  # the next one


@pytest.mark.parametrize("kind", [wire.CANCELLED, wire.READY, wire.LOADED, wire.RETIRE])
def test_what_comes_behind_a_reply_is_not_overlooked(bench: Make, kind: int) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    it.do(it.hosts[0].say, reply_to(calls[0]), frame_of(kind, calls[1].request_id), reply_to(calls[1]))
    assert run_queue.collector.of(1).kind == wire.REPLY
    assert isinstance(run_queue.collector.of(2), ProtocolError)
    assert sum(it.counts.protocol_errors.values()) == 1
