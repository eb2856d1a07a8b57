"""Workers that execute several batches at a time, under the pool's whole tree; the test plays them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.pool_bench import Bench, busy, frame_of, reply_to

from slither_actors import BatchTimeout, LoadError, ProtocolError, SessionLost, WorkerCrashed, WorkerRecycled
from slither_actors.pools.assignment.job import AtItem, Job, Send
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.worker.concurrent_executor import ConcurrentExecutor
from slither_actors.wire import frames as wire
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import Frame
from slither_actors.wire.messages import Hello
from supervisors import Killed

Make = Callable[..., Bench]

EACH = Target(None, "each", each=True)


def retire(request_ids: Sequence[int] = (), side: bytes | None = None) -> Frame:
    if side is None:
        side = encode(list(request_ids)) if request_ids else b""
    return frame_of(wire.RETIRE, 0, encode("max_batches"), side=side)


def at(*progresses: Progress) -> Progress:
    """What a worker says of its batches."""
    first, *others = progresses
    return Progress(first.request_id, first.index, first.seconds, tuple(others))


def _died(it: Bench, run_queue: Any) -> list[tuple[Job, Any]]:
    """End the worker; what that has ended, with the jobs."""
    slot = next(iter(run_queue.occupied))
    jobs = {job.ref: job for job in slot.jobs}
    before = len(run_queue.collector.ended)
    it.do(it.host.die, 3)
    return [(jobs[ref], outcome) for ref, outcome in run_queue.collector.ended[before:]]


def test_the_greeting_says_how_many_at_a_time(bench: Make) -> None:
    it = bench(concurrency=3)
    it.start()
    assert Hello.from_body(it.host.requests[0].body).concurrency == 3
    assert isinstance(it.link.executors[0], ConcurrentExecutor)


def test_places_are_filled_evenly_then_pipes(bench: Make) -> None:
    it = bench(size=2, concurrency=2)
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, *range(6))
    # What a batch takes is not known yet: nothing is sent ahead.
    assert [[call.body for call in host.calls()] for host in it.hosts] == [
        [b"body 0", b"body 2"],
        [b"body 1", b"body 3"],
    ]
    it.warm(run_queue)
    it.submit(run_queue, 6)
    assert sum(len(host.calls()) for host in it.hosts) == 7


def test_a_run_has_no_more_at_a_time_than_it_may(bench: Make) -> None:
    it = bench(size=1, concurrency=4)
    it.start()
    run_queue = it.run_queue(max_in_flight=2)
    it.warm(run_queue)
    it.submit(run_queue, *range(4))
    assert len(it.host.calls()) == 2
    other = it.run_queue()
    it.submit(other, 7)
    assert it.host.calls()[-1].body == b"body 7"  # another run uses what is left
    it.do(it.host.say, reply_to(it.host.calls()[1]))
    assert it.host.calls()[-1].body == b"body 2"


def test_answers_come_in_any_order(bench: Make) -> None:
    run_queue, calls = busy(it := bench(concurrency=3), 1, 2, 3, 4)
    it.do(it.host.say, reply_to(calls[2]), reply_to(calls[0]))
    assert run_queue.collector.refs == [3, 1]
    it.do(it.host.say, reply_to(calls[3]), reply_to(calls[1]))
    assert run_queue.collector.refs == [3, 1, 4, 2]
    assert it.link.executors[0].statistics().done == 4


def test_an_answer_to_what_has_not_begun_breaks_the_worker(bench: Make) -> None:
    run_queue, calls = busy(it := bench(concurrency=2), 1, 2, 3)
    it.do(it.host.say, reply_to(calls[2]))
    assert it.counts.protocol_errors == {"unasked": 1}
    assert sorted(run_queue.collector.refs) == [1, 2]
    assert isinstance(run_queue.collector.of(1), ProtocolError)


def test_a_batch_that_has_begun_is_not_cancelled(bench: Make) -> None:
    it = bench(concurrency=2)
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    first, second, third = it.submit(run_queue, 1, 2, 3)
    it.cancel(run_queue, first, second, third)
    assert it.host.cancels() == [third.request_id]
    assert it.counts.late == 0
    it.do(it.host.say, frame_of(wire.CANCELLED, third.request_id), reply_to(it.host.calls()[1]))
    assert run_queue.collector.refs == []
    assert it.counts.late == 1


def test_item_by_item_what_has_begun_is_cancelled_too(bench: Make) -> None:
    it = bench(concurrency=2)
    it.start()
    run_queue = it.run_queue()
    jobs = it.submit(run_queue, 1, 2, target=EACH)
    it.cancel(run_queue, *jobs)
    assert it.host.cancels() == [job.request_id for job in jobs]


# --- deaths


def test_a_crash_ends_what_had_begun_and_redelivers_the_rest(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, _ = busy(it, 1, 2, 3, 4)
    it.do(it.host.die, 3)
    assert sorted(run_queue.collector.refs) == [1, 2]
    assert all(isinstance(run_queue.collector.of(ref), WorkerCrashed) for ref in (1, 2))
    assert [(call.body, call.attempt) for call in it.host.calls()] == [(b"body 3", 1), (b"body 4", 1)]
    assert it.counts.redelivered == 2


def test_after_two_deaths_beside_others_it_is_alone(bench: Make) -> None:
    it = bench(concurrency=3)
    run_queue, _ = busy(it, 1, 2)
    jobs = [job for job, _ in _died(it, run_queue)]
    for job in jobs:
        it.resubmit(job)
    assert len(it.host.calls()) == 2
    assert [job.deaths for job in jobs] == [1, 1]
    for job in [job for job, _ in _died(it, run_queue)]:
        it.resubmit(job)
    it.scheduler.advance(1)  # the pause before the next worker
    sent = [(frame.kind, frame.request_id) for frame in it.host.requests if frame.kind != wire.HELLO]
    first, second = it.host.calls()
    assert sent == [
        (wire.ALONE, first.request_id),
        (wire.COMMAND, first.request_id),
        (wire.ALONE, second.request_id),
        (wire.COMMAND, second.request_id),
    ]
    it.do(it.host.die, 3)
    it.scheduler.advance(1)
    assert len(run_queue.collector.ended) == 5  # the second one had not begun
    assert it.host.calls()[-1].body == second.body


def test_with_cursors_each_batch_pays_with_one_item(bench: Make) -> None:
    it = bench(concurrency=3)
    it.start()
    run_queue = it.run_queue()
    jobs = it.submit(run_queue, 1, 2, 3, target=EACH)
    for job in jobs:
        job.count = 4
    it.host.at = at(Progress(jobs[1].request_id, 2, 0.0), Progress(jobs[0].request_id, 1, 0.0), Progress(0, 0, 0.0))
    it.do(it.host.die, None, 11)
    first, second = run_queue.collector.of(1), run_queue.collector.of(2)
    assert (type(first), first.index, type(second), second.index) == (AtItem, 1, AtItem, 2)
    assert run_queue.collector.refs == [1, 2]  # the third had not begun an item: it is spared
    assert [call.body for call in it.host.calls()] == [b"body 3"]
    assert jobs[2].spared == 1


def test_an_executor_that_ends_loses_what_had_begun(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, _ = busy(it, 1, 2, 3)
    executor = it.link.executors[0]
    it.do(executor.exit, Killed())  # type: ignore[attr-defined]
    assert sorted(run_queue.collector.refs) == [1, 2]
    assert [call.body for call in it.host.calls()] == [b"body 3"]


# --- deadlines


def test_each_batch_has_a_clock_from_when_it_began(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, calls = busy(it, 1, 2, 3, timeout=10.0)
    it.scheduler.advance(6)
    it.do(it.host.say, reply_to(calls[1]))  # now the third has begun
    it.scheduler.advance(3.9)
    assert "kill" not in " ".join(it.host.log)
    it.killable = False
    it.scheduler.advance(0.2)
    assert it.host.log[-1].startswith("kill")
    it.do(lambda: it.host.die(signal=9))
    late, beside = run_queue.collector.of(1), run_queue.collector.of(3)
    assert isinstance(late, BatchTimeout)
    assert isinstance(beside, WorkerCrashed)
    assert beside.__cause__ is late
    assert "executed at the same time: " in beside.__notes__[0]


def test_one_whose_neighbour_is_answered_keeps_its_own_time(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, calls = busy(it, 1, 2, timeout=10.0)
    it.host.late = [reply_to(calls[0])]  # in the pipe when the alarm of both rings
    it.scheduler.advance(11)
    assert run_queue.collector.refs == [1, 2]
    assert isinstance(run_queue.collector.of(2), BatchTimeout)
    assert it.counts.kills == {"timeout": 1}


def test_item_by_item_the_time_is_that_of_an_item(bench: Make) -> None:
    it = bench(concurrency=2)
    it.start()
    run_queue = it.run_queue(timeout=10.0)
    slow, fast = it.submit(run_queue, 1, 2, target=EACH)
    for job in (slow, fast):
        job.count = 4
    it.host.at = at(Progress(slow.request_id, 1, 4.0), Progress(fast.request_id, 1, 1.0))
    it.scheduler.advance(10.5)
    assert it.counts.kills == {}
    it.host.at = at(Progress(slow.request_id, 1, 10.0), Progress(fast.request_id, 2, 1.0))
    it.scheduler.advance(6)
    assert it.counts.kills == {"timeout": 1}
    late, beside = run_queue.collector.of(1), run_queue.collector.of(2)
    assert (late.index, type(late.error)) == (1, BatchTimeout)
    assert (beside.index, type(beside.error)) == (2, WorkerCrashed)


def test_a_standstill_is_no_time_that_batches_had(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, calls = busy(it, 1, 2, timeout=10.0)
    it.scheduler.advance(5)
    it.scheduler.clock.now += 20  # nothing has run
    it.scheduler.run_until_idle()
    it.scheduler.advance(3)
    assert it.counts.kills == {}
    it.do(it.host.say, reply_to(calls[1]), reply_to(calls[0]))
    assert run_queue.collector.refs == [2, 1]


# --- loads


def test_what_is_behind_a_load_has_not_begun(bench: Make) -> None:
    it = bench(concurrency=3, start_timeout=10.0)
    it.start()
    run_queue = it.run_queue(timeout=5.0)
    it.submit(run_queue, 1)
    it.loads = False
    it.submit(run_queue, 2, target=Target("m", "f"))
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    it.scheduler.advance(9)  # more than the batch may take, less than the load
    assert it.counts.kills == {}
    it.scheduler.advance(2)
    assert it.counts.kills == {"load_timeout": 1}


def test_a_crash_in_a_load_is_that_of_what_was_executed(bench: Make) -> None:
    it = bench(concurrency=3)
    it.start()
    run_queue = it.run_queue()
    it.loads = False
    it.submit(run_queue, 1)
    it.submit(run_queue, 2, target=Target("m", "f"))
    it.do(it.host.die, 3)
    assert run_queue.collector.refs == [1]
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)
    assert it.host.calls()[-1].body == b"body 2"  # it goes on, as the same attempt
    it.do(it.host.die, 3)
    assert isinstance(run_queue.collector.of(2), LoadError)  # and alone it is to blame


# --- retiring


def test_at_its_limit_a_worker_begins_nothing_more(bench: Make) -> None:
    it = bench(size=2, concurrency=2)
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    it.submit(run_queue, *range(6))
    first, second = it.hosts
    calls = first.calls()
    assert len(calls) == 3
    it.do(first.say, reply_to(calls[0]), retire([calls[1].request_id]))
    assert (it.pool.ready, it.pool.waiting) == (1, 1)
    it.do(second.say, reply_to(second.calls()[0]))
    assert second.calls()[-1].body == calls[2].body  # it had not begun
    assert len(first.calls()) == 3
    it.do(first.say, reply_to(calls[1]))
    assert run_queue.collector.refs == [0, 1, 2]
    assert it.counts.recycled == {"max_batches": 1}
    it.do(first.die, 0)
    assert (it.pool.ready, len(it.hosts)) == (2, 3)


def test_what_was_sent_before_the_notice_was_heard_is_not_begun(bench: Make) -> None:
    run_queue, calls = busy(it := bench(concurrency=2), 1, 2)
    it.do(it.host.say, reply_to(calls[0]), retire([calls[1].request_id]))
    (late,) = it.submit(run_queue, 3)
    executor: Any = it.link.executors[0]
    it.do(executor.actor_ref.tell, Send([late]))
    assert len(it.host.calls()) == 2
    assert it.pool.waiting == 1


def test_one_that_retires_with_nothing_to_be_done_ends(bench: Make) -> None:
    run_queue, calls = busy(it := bench(concurrency=2), 1, 2)
    it.do(it.host.say, reply_to(calls[1]), reply_to(calls[0]), retire())
    assert it.counts.recycled == {"max_batches": 1}
    assert run_queue.collector.refs == [2, 1]


def test_answers_behind_the_notice_are_taken(bench: Make) -> None:
    run_queue, calls = busy(it := bench(concurrency=2), 1, 2)
    ids = [call.request_id for call in calls]
    it.do(it.host.say, reply_to(calls[1]), retire(ids), reply_to(calls[0]))
    assert run_queue.collector.refs == [2, 1]
    assert it.counts.recycled == {"max_batches": 1}


def test_one_that_dies_while_it_retires_ends_what_it_executed(bench: Make) -> None:
    it = bench(concurrency=2)
    run_queue, calls = busy(it, 1, 2, 3)
    it.do(it.host.say, reply_to(calls[0]), retire([calls[1].request_id]))
    it.do(it.host.die, 3)
    assert run_queue.collector.refs == [1, 2]
    assert isinstance(run_queue.collector.of(2), WorkerCrashed)
    assert [call.body for call in it.host.calls()] == [b"body 3"]


@pytest.mark.parametrize("side", [b"\xc1", encode("a"), encode(["a"])])
def test_a_notice_that_names_no_requests_is_refused(bench: Make, side: bytes) -> None:
    _, calls = busy(it := bench(concurrency=2), 1, 2)
    it.do(it.host.say, reply_to(calls[0]), retire(side=side))
    assert it.counts.protocol_errors == {"body": 1}


def test_one_that_has_executed_nothing_may_not_retire(bench: Make) -> None:
    it = bench(concurrency=2)
    it.start()
    it.do(it.host.say, retire())
    assert it.counts.protocol_errors == {"unexpected": 1}


# --- sessions


def test_a_bound_session_has_one_batch_at_a_time(bench: Make) -> None:
    it = bench(concurrency=4)
    it.start()
    run_queue = it.run_queue(session="s", affinity="strict")
    it.submit(run_queue, 1, 2)
    assert len(it.host.calls()) == 1
    other = it.run_queue(session="t", affinity="strict")
    it.submit(other, 3)
    assert len(it.host.calls()) == 2  # at the same time as another session
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert it.host.calls()[-1].body == b"body 2"


def test_a_session_of_a_retiring_worker_gets_its_answer(bench: Make) -> None:
    it = bench(concurrency=2)
    it.start()
    run_queue = it.run_queue(session="s", affinity="strict")
    it.submit(run_queue, 1)
    (call,) = it.host.calls()
    it.do(it.host.say, retire([call.request_id]))
    it.do(it.host.say, reply_to(call))
    assert isinstance(run_queue.collector.of(1), Frame)
    it.do(it.host.die, 0)
    it.submit(run_queue, 2)
    lost = run_queue.collector.of(2)
    assert isinstance(lost, SessionLost)
    assert isinstance(lost.__cause__, WorkerRecycled)
