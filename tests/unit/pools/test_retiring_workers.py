"""Workers that retire, under the pool's whole tree; the test plays them and moves the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.pool_bench import Bench, busy, frame_of, reply_to

from slither_actors import BatchTimeout, ProtocolError, SessionLost, WorkerCrashed, WorkerRecycled
from slither_actors.pools.assignment.target import Target
from slither_actors.wire import frames as wire
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import Frame
from slither_actors.wire.messages import Hello

Make = Callable[..., Bench]


def retire(reason: object = "max_batches") -> Frame:
    return frame_of(wire.RETIRE, 0, encode(reason))


def served(bench: Bench) -> Bench:
    """A started pool whose workers have done something already: only then may one retire."""
    bench.start()
    run_queue = bench.run_queue()
    for number, host in enumerate(bench.hosts):
        bench.submit(run_queue, -number)
        bench.do(host.say, reply_to(host.calls()[0]))
        host.requests.clear()
    return bench


def test_the_limits_are_in_the_greeting(bench: Make) -> None:
    it = bench(max_batches=5, max_rss=6_000, memory_limit=7_000)
    it.start()
    told = Hello.from_body(it.host.requests[0].body)
    assert (told.max_batches, told.max_rss, told.memory_limit) == (5, 6_000, 7_000)


@pytest.mark.parametrize("apart", [True, False], ids=["after the reply", "with the reply"])
def test_what_waits_in_the_pipe_goes_on_as_the_same_attempt(bench: Make, apart: bool) -> None:
    it = bench(max_restarts=0)
    run_queue, calls = busy(it, 1, 2, 3)
    if apart:
        it.do(it.host.say, reply_to(calls[0]))
        it.do(it.host.say, retire())
    else:
        it.do(it.host.say, reply_to(calls[0]), retire())
    assert run_queue.collector.refs == [1]
    assert it.link.executors[0].statistics().state == "retiring"
    assert (it.pool.ready, it.pool.waiting, it.pool.in_pipes) == (0, 2, 0)
    assert it.host.log == ["start"]  # it ends by itself
    it.do(it.host.die, 0)
    again = it.host.calls()
    assert [(call.body, call.attempt, call.side) for call in again] == [
        (call.body, call.attempt, call.side) for call in calls[1:]
    ]
    assert {call.request_id for call in again}.isdisjoint(call.request_id for call in calls)
    for call in again:
        it.do(it.host.say, reply_to(call))
    assert run_queue.collector.refs == [1, 2, 3]
    counts = it.counts
    assert counts.recycled == {"max_batches": 1}
    assert counts.redelivered == 2
    # It was planned: no fault, no budget, no new Executor.
    assert (counts.deaths, counts.kills, counts.restarts) == (0, {}, {})
    assert (counts.started, len(it.hosts)) == (2, 2)


def test_with_another_worker_ready_what_waited_goes_there(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    run_queue = it.run_queue(max_in_flight=1)
    it.warm(run_queue)
    it.submit(run_queue, 1, 2)
    (first,) = [host for host in it.hosts if host.calls()]
    (other,) = [host for host in it.hosts if host is not first]
    it.do(first.say, reply_to(first.calls()[0]), retire("max_rss"))
    assert [call.body for call in other.calls()] == [b"body 2"]
    assert it.counts.recycled == {"max_rss": 1}


def test_an_idle_worker_that_retires_is_replaced(bench: Make) -> None:
    it = served(bench(max_restarts=0))
    it.do(it.host.say, retire())
    it.do(it.host.die, 0)
    assert it.pool.ready == 1
    assert (it.counts.redelivered, it.counts.recycled) == (0, {"max_batches": 1})


def test_what_was_sent_before_the_pool_heard_is_redelivered(bench: Make) -> None:
    it = served(bench())
    run_queue = it.run_queue()
    # Posted by what comes ahead of the job: said between the Pool's message and the Executor's reading it.
    it.scheduler.post(lambda: it.scheduler.post(it.host.say, retire()))
    it.submit(run_queue, 1)
    assert it.host.calls() == []
    it.do(it.host.die, 0)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1]
    assert it.counts.redelivered == 1


def test_batch_that_was_cancelled_meanwhile_is_not_redelivered(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    jobs = it.submit(run_queue, 1, 2, 3)
    it.cancel(run_queue, jobs[1])
    assert len(it.host.cancels()) == 1
    it.do(it.host.say, reply_to(it.host.calls()[0]), retire())
    it.do(it.host.die, 0)
    assert [call.body for call in it.host.calls()] == [b"body 3"]
    assert it.counts.redelivered == 1


def test_the_deadline_of_a_batch_that_never_began_goes_with_it(bench: Make) -> None:
    it = bench(shutdown=100.0)
    run_queue, calls = busy(it, 1, 2, timeout=5.0)
    it.do(it.host.say, reply_to(calls[0]), retire())
    it.scheduler.advance(20.0)
    assert run_queue.collector.refs == [1]
    it.do(it.hosts[0].die, 0)
    it.scheduler.advance(4.9)
    assert run_queue.collector.refs == [1]
    it.scheduler.advance(0.2)
    assert isinstance(run_queue.collector.of(2), BatchTimeout)
    assert it.counts.kills == {"timeout": 1}


def test_a_function_is_loaded_anew_in_the_next_worker(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue, target = it.run_queue(), Target("module", "function")
    it.submit(run_queue, 1, target=target)
    it.do(it.host.say, reply_to(it.host.calls()[0]), retire())
    it.do(it.host.die, 0)
    it.submit(run_queue, 2, target=target)
    assert [frame.kind for frame in it.host.requests] == [wire.HELLO, wire.LOAD, wire.CALL]


# --- one that does not end


def test_one_that_says_so_and_does_not_end_is_killed(bench: Make) -> None:
    it = served(bench(shutdown=4.0))
    it.killable = False
    it.do(it.host.say, retire())
    it.scheduler.advance(1.9)
    assert it.host.log == ["start"]
    it.scheduler.advance(0.2)
    assert it.host.log == ["start", "terminate at 1002"]
    it.scheduler.advance(2.0)
    assert it.host.log == ["start", "terminate at 1002", "kill at 1004"]
    it.do(it.host.die, None, 9)
    assert it.pool.ready == 1
    counts = it.counts
    assert (counts.kills, counts.deaths, counts.recycled) == ({"shutdown": 1}, 0, {"max_batches": 1})


def test_push_of_one_that_ended_does_not_reach_its_successor(bench: Make) -> None:
    it = served(bench(shutdown=4.0))
    it.do(it.host.say, retire())
    it.do(it.host.die, 0)
    it.scheduler.advance(10.0)
    assert it.host.log == ["start"]
    assert it.pool.ready == 1


@pytest.mark.parametrize("kind", [wire.REPLY, wire.RETIRE, wire.CANCELLED])
def test_what_it_says_after_that_counts_for_nothing(bench: Make, kind: int) -> None:
    it = bench(shutdown=4.0)
    run_queue, calls = busy(it, 1, 2)
    it.do(it.hosts[0].say, reply_to(calls[0]), retire())
    it.do(it.hosts[0].say, frame_of(kind, calls[1].request_id, count=1))
    assert run_queue.collector.refs == [1]
    it.do(it.hosts[0].die, 0)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1, 2]
    assert (it.counts.protocol_errors, it.counts.kills) == ({}, {})
    assert it.counts.recycled == {"max_batches": 1}


def test_garbage_instead_of_its_end_kills_it(bench: Make) -> None:
    it = served(bench())
    it.do(it.hosts[0].say, retire())
    it.do(it.hosts[0].sink.on_broken, ProtocolError("magic", "no frame"))
    assert it.counts.kills == {"protocol": 1}
    assert it.counts.deaths == 0
    assert it.pool.ready == 1


def test_a_successor_that_cannot_be_made_is_a_failed_start(bench: Make) -> None:
    it = bench(max_restarts=None)
    run_queue, calls = busy(it, 1, 2)
    it.do(it.hosts[0].say, reply_to(calls[0]), retire())
    it.spawn_error = OSError(24, "Too many open files")
    it.do(it.hosts[0].die, 0)
    assert it.counts.deaths > 0
    it.spawn_error = None
    it.scheduler.advance(10)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1, 2]


# --- a stop, a kill, a death at the same time


def test_a_stop_while_it_retires_waits_for_its_end(bench: Make) -> None:
    it = served(bench(shutdown=4.0))
    it.killable = False
    it.do(it.host.say, retire())
    it.scheduler.advance(1.0)
    it.stop()
    assert it.root.is_alive()
    it.do(it.host.die, 0)
    assert not it.root.is_alive()
    assert len(it.hosts) == 1  # no successor
    assert it.scheduler.pending_timers == 0


def test_a_stop_while_it_retires_is_over_by_its_own_time(bench: Make) -> None:
    it = served(bench(shutdown=4.0))
    it.do(it.host.say, retire())
    it.scheduler.advance(1.0)
    it.stop()
    it.scheduler.advance(4.0)
    assert not it.root.is_alive()
    assert it.counts.kills == {"shutdown": 1}


def test_one_that_retires_when_it_is_told_to_stop_is_stopped(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    it.stop()
    it.do(it.host.say, reply_to(calls[0]), retire())
    it.do(it.host.die, 0)
    assert not it.root.is_alive()
    assert len(it.hosts) == 1
    assert (it.counts.recycled, it.counts.kills) == ({}, {})
    assert run_queue.collector.ended == []


def test_one_that_retires_in_a_timeouts_kill_was_killed(bench: Make) -> None:
    it = bench(max_restarts=0)
    run_queue, calls = busy(it, 1, 2, timeout=5.0)
    it.killable = False
    it.scheduler.advance(5.0)
    it.do(it.hosts[0].say, reply_to(calls[0]), retire())
    it.killable = True
    it.do(it.hosts[0].die, None, 9)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert (it.counts.recycled, it.counts.kills) == ({}, {"timeout": 1})


def test_a_reply_and_a_retirement_that_come_at_deadline_count(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, timeout=5.0)
    it.hosts[0].late = [reply_to(calls[0]), retire()]  # in the pipe when the alarm rings
    it.scheduler.advance(5.0)
    assert run_queue.collector.refs == [1]
    it.do(it.hosts[0].die, 0)
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert (it.counts.recycled, it.counts.kills) == ({"max_batches": 1}, {})


def test_one_killed_from_outside_as_it_retires_has_retired(bench: Make) -> None:
    it = bench(max_restarts=0)
    run_queue, calls = busy(it, 1, 2)
    it.hosts[0].say(reply_to(calls[0]), retire())
    it.do(it.hosts[0].die, None, 9)
    assert run_queue.collector.refs == [1]
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert it.counts.deaths == 0


# --- nonsense


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", encode("age"), encode(None), encode(["max_batches"]), encode("max_batches") + b"x", b"\xff" * 100],
)
def test_a_retirement_for_no_known_reason_is_a_protocol_error(bench: Make, body: bytes) -> None:
    it = bench()
    run_queue, _ = busy(it, 1, 2)
    it.do(it.hosts[0].say, frame_of(wire.RETIRE, 0, body))
    assert "kill at 1000" in it.hosts[0].log
    error = run_queue.collector.of(1)
    assert isinstance(error, ProtocolError)
    assert error.reason == "body"
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    counts = it.counts
    assert (counts.protocol_errors, counts.kills, counts.recycled) == ({"body": 1}, {"protocol": 1}, {})
    assert counts.deaths == 1


def test_nothing_may_follow_a_retirement_in_the_same_breath(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    it.do(it.hosts[0].say, reply_to(calls[0]), retire(), reply_to(calls[1]))
    assert run_queue.collector.of(1).kind == wire.REPLY
    assert isinstance(run_queue.collector.of(2), ProtocolError)
    assert (it.counts.protocol_errors, it.counts.recycled) == ({"unasked": 1}, {})


def test_one_that_retires_without_work_breaks_the_protocol(bench: Make) -> None:
    """Or a pool could go on without end with workers that do nothing."""
    it = bench(max_restarts=2, max_seconds=600.0)
    it.start()
    ref = it.link.ref
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    for _ in range(3):
        it.do(it.host.say, retire())
        it.scheduler.advance(1.0)
    assert isinstance(run_queue.collector.of(1), ProtocolError)
    assert not ref.is_alive()
    assert (it.counts.protocol_errors, it.counts.deaths, it.counts.recycled) == ({"unexpected": 3}, 3, {})


def test_a_retirement_before_ready_is_a_protocol_error(bench: Make) -> None:
    it = bench()
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.do(it.host.say, retire())
    assert isinstance(ready[0], ProtocolError)
    assert (it.counts.protocol_errors, it.counts.recycled) == ({"unexpected": 1}, {})


# --- sessions


def test_a_strict_session_waiting_in_pipe_hears_of_recycling(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue(session="s", affinity="strict")
    it.submit(run_queue, 1, 2)
    (call,) = it.host.calls()  # one at a time
    it.do(it.hosts[0].say, reply_to(call))
    assert len(it.host.calls()) == 2
    it.do(it.hosts[0].say, retire("max_rss"))
    error = run_queue.collector.of(2)
    assert isinstance(error, SessionLost)
    assert isinstance(error.__cause__, WorkerRecycled)
    assert error.__cause__.reason == "max_rss"
    it.do(it.hosts[0].die, 0)
    it.submit(run_queue, 3)  # it begins again
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.of(3).kind == wire.REPLY
    assert it.counts.redelivered == 0


def test_an_idle_strict_session_hears_of_it_with_its_next_batch(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    run_queue = it.run_queue(session="s", affinity="strict")
    it.submit(run_queue, 1)
    (first,) = [host for host in it.hosts if host.calls()]
    it.do(first.say, reply_to(first.calls()[0]), retire())
    it.do(first.die, 0)
    it.submit(run_queue, 2, 3)
    error = run_queue.collector.of(2)
    assert isinstance(error, SessionLost)
    assert isinstance(error.__cause__, WorkerRecycled)
    (served,) = [host for host in it.hosts[1:] if host.calls()]
    it.do(served.say, reply_to(served.calls()[0]))
    assert run_queue.collector.of(3).kind == wire.REPLY


def test_a_session_whose_worker_crashed_is_told_what_it_died_of(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue(session="s", affinity="strict")
    it.submit(run_queue, 1)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    it.do(it.host.die, 7)
    it.submit(run_queue, 2)
    error = run_queue.collector.of(2)
    assert isinstance(error, SessionLost)
    assert isinstance(error.__cause__, WorkerCrashed)
    assert error.__cause__.exit_code == 7


def test_a_hinted_session_just_goes_on_elsewhere(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue(session="s", affinity="hint")
    it.submit(run_queue, 1)
    it.do(it.hosts[0].say, reply_to(it.host.calls()[0]), retire())
    it.do(it.hosts[0].die, 0)
    it.submit(run_queue, 2)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1, 2]
