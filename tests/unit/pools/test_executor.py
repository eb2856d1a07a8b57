"""An Executor and its worker, which the test plays, under the pool's whole tree; time is moved by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.pool_bench import Bench, busy, failure_of, frame_of, reply_to

from slither_actors import BatchTimeout, LoadError, PoolUnavailable, ProtocolError, StartTimeout, WorkerCrashed
from slither_actors.pools.assignment.target import Target
from slither_actors.wire import frames as wire
from slither_actors.wire.messages import Hello, Load

Make = Callable[..., Bench]


# --- handshake


def test_the_worker_is_greeted_and_takes_jobs_once_it_is_ready(bench: Make) -> None:
    it = bench(size=1, path=["/somewhere"], adapter="a:B")
    it.greets = False
    it.start()
    (hello,) = it.host.requests
    assert hello.kind == wire.HELLO
    told = Hello.from_body(hello.body)
    assert told.path[0] == "/somewhere"
    assert (told.adapter, told.name) == ("a:B", "p")
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    assert it.host.calls() == []
    ready = it.when_ready()
    assert ready == []
    it.do(it.host.ready, ["score"])
    assert ready == [None]
    assert it.link.commands == ("score",)
    assert [call.body for call in it.host.calls()] == [b"body 1"]
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1]


def test_worker_that_is_not_ready_in_time_is_killed_and_counted(bench: Make) -> None:
    it = bench(start_timeout=10.0)
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.scheduler.advance(9.9)
    assert it.host.log == ["start"]
    it.killable = False
    it.scheduler.advance(0.2)
    assert it.host.log == ["start", "read", "kill at 1010"]
    it.do(lambda: it.host.die(signal=9, stderr="I was importing"))
    (error,) = ready
    assert isinstance(error, StartTimeout)
    assert "I was importing" in error.__notes__[0]
    assert it.counts.deaths == 1
    assert len(it.hosts) == 2  # the first restart comes at once


def test_a_worker_that_says_ready_at_the_last_moment_is_taken(bench: Make) -> None:
    it = bench(start_timeout=10.0)
    it.greets = False
    it.start()
    it.host.late = [it.host.ready_frame()]  # in the pipe when the alarm rings
    it.scheduler.advance(20)
    assert it.pool.ready == 1
    assert it.host.log == ["start", "read"]


def test_start_that_fails_in_worker_is_told_with_its_traceback(bench: Make) -> None:
    it = bench()
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.do(it.host.say, failure_of(0, "start"))
    it.do(lambda: it.host.die(exit_code=1))
    (error,) = ready
    assert isinstance(error, LoadError)
    assert "ValueError: no" in str(error)


def test_a_failed_worker_that_does_not_end_is_pushed(bench: Make) -> None:
    it = bench(start_timeout=60.0, shutdown=4.0)
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.killable = False
    it.do(it.host.say, failure_of(0, "start"), it.host.ready_frame())  # nothing it says after that counts
    it.scheduler.advance(2.1)
    assert it.hosts[0].log == ["start", "terminate at 1002"]
    it.scheduler.advance(2.0)
    assert it.hosts[0].log[-1] == "kill at 1004"
    it.do(lambda: it.hosts[0].die(signal=9))
    (error,) = ready
    assert isinstance(error, LoadError)  # and no StartTimeout
    assert (it.counts.kills, it.counts.deaths) == ({"shutdown": 1}, 1)


def test_what_comes_with_ready_is_heard_too(bench: Make) -> None:
    it = bench()
    it.greets = False
    it.start()
    it.do(it.host.say, it.host.ready_frame(), frame_of(wire.REPLY, 987_654, count=1))
    assert "kill at 1000" in it.hosts[0].log
    assert (it.counts.protocol_errors, it.counts.deaths) == ({"unasked": 1}, 1)


@pytest.mark.parametrize("kind", [wire.REPLY, wire.LOADED, wire.CANCELLED])
def test_anything_else_before_ready_kills_it(bench: Make, kind: int) -> None:
    it = bench()
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.do(it.host.say, frame_of(kind, 1))
    assert "kill at 1000" in it.hosts[0].log
    assert isinstance(ready[0], ProtocolError)


def test_a_process_that_cannot_be_made_is_tried_again(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.spawn_error = OSError(24, "Too many open files")
    it.start()
    ready = it.when_ready()
    assert len(it.hosts) == 2  # at once, then with pauses
    it.scheduler.advance(0.05 + 0.1 + 0.2 + 0.01)
    assert len(it.hosts) == 5
    assert all(isinstance(error, OSError) for error in ready)
    it.spawn_error = None
    it.scheduler.advance(10)
    assert it.pool.ready == 1


def test_the_pause_between_restarts_is_at_most_5_seconds(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.spawn_error = OSError(24, "Too many open files")
    it.start()
    it.scheduler.advance(100)
    before = len(it.hosts)
    it.scheduler.advance(5.0)
    assert len(it.hosts) == before + 1


@pytest.mark.parametrize("ready", [False, True])
def test_a_worker_killed_from_outside_is_replaced_at_once(bench: Make, ready: bool) -> None:
    """It says nothing of whether the next one can live. A pause that grew would leave the killer fewer to hit."""
    it = bench(max_restarts=None)
    it.greets = ready
    it.start()
    for number in range(10):
        assert len(it.hosts) == number + 1
        it.do(it.host.die, None, 9)
    it.do(it.host.die, 1)  # one that ends by itself is another matter
    assert len(it.hosts) == 11
    it.scheduler.advance(0.06)
    assert len(it.hosts) == 12


def test_our_kill_of_a_worker_at_its_start_is_no_outside_kill(bench: Make) -> None:
    it = bench(max_restarts=None, start_timeout=2.0)
    it.greets = False
    it.start()
    it.scheduler.advance(2.0)
    assert len(it.hosts) == 2
    it.scheduler.advance(2.0)
    assert len(it.hosts) == 2  # it waits now
    it.scheduler.advance(0.06)
    assert len(it.hosts) == 3


# --- requests and replies


def test_replies_are_matched_with_requests_in_order(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, 3)
    it.do(it.host.say, reply_to(calls[0]), failure_of(calls[1].request_id))
    it.do(it.host.say, reply_to(calls[2]))
    assert run_queue.collector.refs == [1, 2, 3]
    assert [outcome.kind for _, outcome in run_queue.collector.ended] == [wire.REPLY, wire.FAILURE, wire.REPLY]
    assert it.link.executors[0].statistics().done == 3


def test_the_attempt_and_the_count_are_in_the_header(bench: Make) -> None:
    it = bench()
    _, (call,) = busy(it, 1)
    assert (call.kind, call.attempt, call.count) == (wire.COMMAND, 1, 1)


@pytest.mark.parametrize("which", [1, 99])
def test_a_reply_that_is_unasked_or_out_of_turn_kills(bench: Make, which: int) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    wrong = reply_to(calls[which]) if which < 2 else frame_of(wire.REPLY, 987_654, count=1)
    it.do(it.hosts[0].say, wrong)
    assert "kill at 1000" in it.hosts[0].log
    assert isinstance(run_queue.collector.of(1), ProtocolError)
    # The one behind it never began: the next worker has it.
    assert [call.body for call in it.host.calls()] == [b"body 2"]


@pytest.mark.parametrize("kind", [wire.READY, wire.LOADED])
def test_what_is_no_answer_to_a_batch_kills_the_worker(bench: Make, kind: int) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2)
    it.do(it.hosts[0].say, frame_of(kind, calls[0].request_id))
    assert "kill at 1000" in it.hosts[0].log
    assert isinstance(run_queue.collector.of(1), ProtocolError)
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert it.counts.protocol_errors == {"unexpected": 1}


@pytest.mark.parametrize("kind", [wire.READY, wire.REPLY])
def test_a_wrong_answer_to_a_load_costs_batch_that_wanted_it(bench: Make, kind: int) -> None:
    it = bench()
    it.loads = False
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, 1, target=Target("module", "function"))
    it.do(it.hosts[0].say, frame_of(kind, it.hosts[0].requests[1].request_id))
    assert isinstance(run_queue.collector.of(1), ProtocolError)
    assert it.counts.protocol_errors == {"unexpected": 1}


def test_what_was_answered_before_the_nonsense_counts(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, 3)
    it.do(it.hosts[0].say, reply_to(calls[0]), frame_of(wire.REPLY, 987_654))
    assert run_queue.collector.of(1).kind == wire.REPLY
    assert isinstance(run_queue.collector.of(2), ProtocolError)
    assert [call.body for call in it.host.calls()] == [b"body 3"]


def test_a_pipe_that_breaks_kills_the_worker_with_that_reason(bench: Make) -> None:
    it = bench()
    run_queue, _ = busy(it, 1)
    it.do(it.hosts[0].sink.on_broken, ProtocolError("magic", "no frame"))
    assert isinstance(run_queue.collector.of(1), ProtocolError)


# --- functions


def test_a_function_is_loaded_once_a_worker(bench: Make) -> None:
    it = bench()
    it.start()
    target = Target("module", "function", each=True)
    run_queue = it.run_queue()
    it.submit(run_queue, 1, target=target)
    (call,) = it.host.calls()
    hello, load, _ = it.host.requests
    told = Load.from_body(load.body)
    assert (told.module, told.function, told.each, told.target) == ("module", "function", True, target.id)
    assert call.kind == wire.CALL
    it.do(it.host.say, reply_to(call))
    it.submit(run_queue, 2, target=target)
    assert [frame.kind for frame in it.host.requests] == [hello.kind, wire.LOAD, wire.CALL, wire.CALL]


def test_a_function_that_fails_to_load_is_its_batches_error(bench: Make) -> None:
    it = bench()
    it.loads = False
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    target = Target("module", "function")
    it.submit(run_queue, 1, 2, target=target)
    load = it.host.requests[1]
    it.do(it.host.say, failure_of(load.request_id, "load"))
    for call in it.host.calls():
        it.do(it.host.say, failure_of(call.request_id, "load"))
    assert all(isinstance(run_queue.collector.of(ref), LoadError) for ref in (1, 2))
    assert "ValueError: no" in str(run_queue.collector.of(1))
    assert len(it.hosts) == 1
    # A later run tries again.
    it.submit(it.run_queue(), 3, target=target)
    assert [frame.kind for frame in it.host.requests][-2:] == [wire.LOAD, wire.CALL]


def test_nothing_of_run_begins_once_its_function_fails_to_load(bench: Make) -> None:
    it = bench()
    it.loads = False
    it.start()
    run_queue = it.run_queue(ahead=False)
    target = Target("module", "function")
    it.submit(run_queue, 1, 2, target=target)
    it.do(it.host.say, failure_of(it.host.requests[1].request_id, "load"))
    it.do(it.host.say, failure_of(it.host.calls()[0].request_id, "load"))
    it.submit(run_queue, 3, target=target)
    assert [frame.kind for frame in it.host.requests[1:]] == [wire.LOAD, wire.CALL]
    assert isinstance(run_queue.collector.of(1), LoadError)  # which ends the run: it waits for nothing else


def test_a_load_has_the_start_timeout_and_batch_its_own_clock(bench: Make) -> None:
    it = bench(start_timeout=10.0)
    it.loads = False
    it.start()
    run_queue = it.run_queue(timeout=2.0)
    it.submit(run_queue, 1, target=Target("module", "function"))
    it.scheduler.advance(9.0)
    assert run_queue.collector.ended == []
    it.do(it.host.say, frame_of(wire.LOADED, it.host.requests[1].request_id))
    it.scheduler.advance(1.9)
    assert run_queue.collector.ended == []
    it.scheduler.advance(0.2)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)


def test_two_overdue_loads_end_all_batches_of_that_function(bench: Make) -> None:
    it = bench(start_timeout=10.0)
    it.loads = False
    it.start()
    run_queue, other = it.run_queue(), it.run_queue()
    it.warm(run_queue), it.warm(other)
    it.submit(run_queue, 1, 2, target=Target("module", "slow"))
    it.submit(other, 3)
    it.scheduler.advance(10.1)
    assert run_queue.collector.ended == []
    it.scheduler.advance(0.1)
    it.scheduler.advance(10.1)
    for ref in (1, 2):
        assert isinstance(run_queue.collector.of(ref), LoadError)
        assert isinstance(run_queue.collector.of(ref).reason, StartTimeout)
    assert [call.body for call in it.host.calls()] == [b"body 3"]
    assert other.collector.ended == []
    assert it.counts.deaths == 0


# --- the clock


def test_the_clock_starts_when_the_batch_is_first_in_the_pipe(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, 3, timeout=5.0)
    it.scheduler.advance(4.0)
    it.do(it.host.say, reply_to(calls[0]))
    it.scheduler.advance(4.0)
    it.do(it.host.say, reply_to(calls[1]))
    it.scheduler.advance(4.9)
    assert run_queue.collector.refs == [1, 2]
    it.scheduler.advance(0.2)
    assert isinstance(run_queue.collector.of(3), BatchTimeout)
    assert run_queue.collector.of(3).timeout == 5.0
    assert "kill at 1013" in it.hosts[0].log


def test_at_the_deadline_the_pipe_is_read_once_more(bench: Make) -> None:
    it = bench()
    run_queue, calls = busy(it, 1, 2, timeout=5.0)
    it.host.late = [reply_to(calls[0])]
    it.scheduler.advance(5.0)
    assert run_queue.collector.of(1).kind == wire.REPLY
    it.scheduler.advance(4.9)  # the next one has its own five seconds
    assert run_queue.collector.refs == [1]
    it.scheduler.advance(0.2)
    assert isinstance(run_queue.collector.of(2), BatchTimeout)


def test_a_timeout_is_charged_to_the_first_batch(bench: Make) -> None:
    it = bench(max_restarts=0)
    run_queue, calls = busy(it, 1, 2, 3, timeout=5.0)
    it.scheduler.advance(5.0)
    assert run_queue.collector.refs == [1]
    assert len(it.hosts) == 2
    again = it.host.calls()
    assert [call.body for call in again] == [b"body 2", b"body 3"]
    assert [call.attempt for call in again] == [1, 1]
    assert {call.request_id for call in again}.isdisjoint(call.request_id for call in calls)
    assert it.counts.deaths == 0
    assert it.link.executors[0].statistics().timeouts == 1


def test_without_a_timeout_nothing_ever_rings(bench: Make) -> None:
    it = bench()
    run_queue, (call,) = busy(it, 1, timeout=None)
    it.scheduler.advance(100_000)
    it.do(it.host.say, reply_to(call))
    assert run_queue.collector.of(1).kind == wire.REPLY


def test_a_late_reply_after_a_timeout_reaches_nobody(bench: Make) -> None:
    it = bench()
    it.start()
    it.killable = False
    run_queue = it.run_queue(timeout=5.0)
    it.submit(run_queue, 1)
    (call,) = it.host.calls()
    it.scheduler.advance(5.0)
    it.do(it.host.say, reply_to(call))
    it.do(lambda: it.hosts[0].die(signal=9))
    assert isinstance(run_queue.collector.of(1), BatchTimeout)


# --- death


def test_a_crash_is_charged_to_the_first_batch(bench: Make) -> None:
    it = bench(max_restarts=None)
    run_queue, calls = busy(it, 1, 2, 3)
    it.do(it.hosts[0].die, None, 11, "Segmentation fault")
    error = run_queue.collector.of(1)
    assert isinstance(error, WorkerCrashed)
    assert (error.signal, error.exit_code, error.stderr_tail) == (11, None, "Segmentation fault")
    again = it.host.calls()
    assert [(call.body, call.attempt, call.side) for call in again] == [
        (call.body, call.attempt, call.side) for call in calls[1:]
    ]
    assert it.counts.redelivered == 2
    assert it.link.snapshot().restarts == 1


def test_what_was_sent_before_death_was_heard_is_redelivered(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.start()
    run_queue = it.run_queue()
    it.hosts[0].die(signal=9)  # that message is not read yet
    it.submit(run_queue, 1)
    assert run_queue.collector.ended == []
    assert [call.body for call in it.host.calls()] == [b"body 1"]
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [1]


def test_two_crashes_in_loads_in_a_row_are_of_the_function(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.loads = False
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, 1, 2, target=Target("module", "crashes"))
    it.do(it.hosts[0].die, 3)
    assert run_queue.collector.ended == []
    assert it.counts.deaths == 1
    it.do(it.hosts[1].die, 3)
    for ref in (1, 2):
        error = run_queue.collector.of(ref)
        assert isinstance(error, LoadError)
        assert isinstance(error.reason, WorkerCrashed)
        assert error.reason.exit_code == 3
    it.submit(run_queue, 3, target=Target("module", "crashes"))
    assert isinstance(run_queue.collector.of(3), LoadError)  # what the order may wait for has an outcome, too


def test_crash_in_load_is_of_worker_where_another_has_function(bench: Make) -> None:
    it = bench(size=2, max_restarts=None)
    it.loads = False
    it.start()
    run_queue = it.run_queue(max_in_flight=2, ahead=False)
    target = Target("module", "function")
    it.submit(run_queue, 1, 2, target=target)
    good, bad = it.hosts
    it.do(good.say, frame_of(wire.LOADED, good.requests[1].request_id))
    for _ in range(3):
        it.do(bad.die, 3)
        assert run_queue.collector.ended == []
        bad = it.hosts[-1]


def test_a_load_error_is_the_outcome_of_what_waits_too(bench: Make) -> None:
    it = bench()
    it.loads = False
    it.start()
    run_queue = it.run_queue(ahead=False)
    it.submit(run_queue, 1, 2, target=Target("module", "function"))
    it.do(it.host.say, failure_of(it.host.requests[1].request_id, "load"))
    it.do(it.host.say, failure_of(it.host.calls()[0].request_id, "load"))
    assert isinstance(run_queue.collector.of(1), LoadError)
    assert isinstance(run_queue.collector.of(2), LoadError)


def test_an_idle_workers_death_is_charged_to_nobody(bench: Make) -> None:
    it = bench()
    it.start()
    it.do(it.host.die, 0)
    assert it.counts.deaths == 1
    assert it.pool.ready == 1
    assert len(it.hosts) == 2


def test_a_retry_goes_to_another_worker_if_one_is_ready(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    run_queue = it.run_queue()
    (job,) = it.submit(run_queue, 1)
    (first,) = [host for host in it.hosts if host.calls()]
    it.do(first.say, failure_of(first.calls()[0].request_id))
    job.attempt += 1
    it.resubmit(job)
    (second,) = [host for host in it.hosts if host.calls() and host is not first]
    assert (second.calls()[0].body, second.calls()[0].attempt) == (b"body 1", 2)


def test_each_attempt_has_a_beginning_of_its_own(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue()
    (job,) = it.submit(run_queue, 1)
    assert job.began == it.scheduler.now()
    it.do(it.host.say, failure_of(it.host.calls()[0].request_id))
    it.greets = False
    it.do(it.host.die, 0)
    job.attempt += 1
    it.resubmit(job)  # no worker has it now
    assert job.began == 0.0
    it.scheduler.advance(3.0)
    it.do(it.host.ready)
    assert job.began == it.scheduler.now()


# --- cancel


def test_what_waits_in_the_pipe_is_cancelled_by_acknowledgement(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    jobs = it.submit(run_queue, 1, 2, 3)
    calls = it.host.calls()
    it.cancel(run_queue, *jobs)
    # The first one is in execution, as far as anyone knows.
    assert set(it.host.cancels()) == {calls[1].request_id, calls[2].request_id}
    assert it.pool.in_pipes == 3  # until the worker says so
    it.do(it.host.say, frame_of(wire.CANCELLED, calls[2].request_id))
    assert it.pool.in_pipes == 2
    it.do(it.host.say, reply_to(calls[0]), reply_to(calls[1]))  # one was begun before the cancel came
    assert it.pool.in_pipes == 0
    assert run_queue.collector.ended == []  # no run is notified
    assert len(it.hosts) == 1


def test_cancelled_jobs_are_not_redelivered_when_worker_dies(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.start()
    run_queue, other = it.run_queue(), it.run_queue()
    it.warm(run_queue), it.warm(other)
    jobs = it.submit(run_queue, 1, 2)
    it.submit(other, 3)
    it.cancel(run_queue, *jobs)
    it.do(it.hosts[0].die, None, 9)
    assert [call.body for call in it.host.calls()] == [b"body 3"]


def test_an_acknowledgement_of_an_unasked_cancel_kills(bench: Make) -> None:
    it = bench()
    _, _ = busy(it, 1)
    it.do(it.hosts[0].say, frame_of(wire.CANCELLED, 987_654))
    assert "kill at 1000" in it.hosts[0].log


def test_a_closed_runs_jobs_are_dropped_cancelled_or_run_out(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue()
    it.warm(run_queue)
    it.submit(run_queue, *range(20))
    calls = it.host.calls()
    assert it.pool.waiting == 20 - len(calls)
    it.close(run_queue)
    assert it.pool.waiting == 0
    assert it.pool.runs == 0
    assert set(it.host.cancels()) == {call.request_id for call in calls[1:]}
    for call in calls[1:]:
        it.do(it.host.say, frame_of(wire.CANCELLED, call.request_id))
    it.do(it.host.say, reply_to(calls[0]))
    assert it.pool.in_pipes == 0
    assert it.counts.late == 1  # the others were taken back in time
    assert run_queue.collector.ended == []
    it.submit(run_queue, 99)  # too late
    assert it.pool.waiting == 0


def test_a_batch_of_a_closed_run_still_has_its_timeout(bench: Make) -> None:
    it = bench()
    run_queue, _ = busy(it, 1, timeout=5.0)
    it.close(run_queue)
    it.scheduler.advance(5.0)
    assert "kill at 1005" in it.hosts[0].log
    assert it.pool.ready == 1
    assert run_queue.collector.ended == []


# --- stop


def test_the_stop_ladder(bench: Make) -> None:
    it = bench(shutdown=4.0)
    it.start()
    it.killable = False
    it.stop()
    assert it.host.requests[-1].kind == wire.STOP
    assert it.host.log == ["start"]
    it.scheduler.advance(1.9)
    assert it.host.log == ["start"]
    it.scheduler.advance(0.2)
    assert it.host.log == ["start", "terminate at 1002"]
    it.scheduler.advance(2.0)
    assert it.host.log == ["start", "terminate at 1002", "kill at 1004"]
    assert it.root.is_alive()
    it.do(it.host.die, None, 9)
    assert not it.root.is_alive()


def test_a_worker_that_obeys_the_stop_ends_it_at_once(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    it.stop()
    for host in it.hosts:
        it.do(host.die, 0)
        assert host.log == ["start"]
    assert not it.root.is_alive()
    assert it.scheduler.pending_timers == 0


def test_workers_are_stopped_side_by_side(bench: Make) -> None:
    it = bench(size=4, shutdown=4.0)
    it.start()
    it.stop()
    it.scheduler.advance(4.0)
    assert all(host.log[-1] == "kill at 1004" for host in it.hosts)
    assert not it.root.is_alive()


def test_a_worker_that_does_not_die_is_abandoned_in_time(bench: Make) -> None:
    it = bench(shutdown=4.0)
    it.start()
    it.killable = False
    it.stop()
    it.scheduler.advance(5.1)  # a second for the kill and for reaping
    assert not it.root.is_alive()
    assert it.host.log[-1] == "abandon"


def test_a_starting_or_hanging_worker_is_killed_by_a_stop(bench: Make) -> None:
    it = bench()
    it.greets = False
    it.start()
    it.stop()
    # It has had its hello, so it may still obey a stop; at the end of the ladder it is killed.
    it.scheduler.advance(4.0)
    assert not it.root.is_alive()


def test_runs_hear_nothing_of_jobs_that_a_stop_ended(bench: Make) -> None:
    it = bench()
    run_queue, _ = busy(it, 1, 2)
    it.stop()
    it.do(it.host.die, 0)
    assert run_queue.collector.ended == []
    assert isinstance(it.link.unavailable(), PoolUnavailable)
    assert it.link.ref is None


# --- the budget


def test_deaths_over_the_budget_end_the_pool_and_it_comes_back(bench: Make) -> None:
    it = bench(size=2, max_restarts=2, max_seconds=5.0)
    it.start()
    ref = it.link.ref
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    for _ in range(3):
        it.do(it.host.die, None, 9)
        it.scheduler.advance(0.3)
    it.scheduler.advance(4.0)  # the other worker does not obey the stop
    assert not ref.is_alive()
    it.scheduler.advance(30)
    assert it.link.ref is not None
    assert it.link.ref is not ref
    assert it.pool.ready == 2


def test_deaths_within_budgets_window_are_forgotten_after_it(bench: Make) -> None:
    it = bench(size=1, max_restarts=2, max_seconds=5.0)
    it.start()
    ref = it.link.ref
    for _ in range(10):
        it.do(it.host.die, None, 9)
        it.scheduler.advance(6.0)
    assert ref.is_alive()
    assert it.counts.deaths == 10


def test_who_waits_for_readiness_is_told_when_the_pool_gives_up(bench: Make) -> None:
    it = bench(max_restarts=0)
    it.greets = False
    it.start()
    ready = it.when_ready()
    it.do(it.host.die, 1)
    assert len(ready) == 1
    assert isinstance(ready[0], (WorkerCrashed, PoolUnavailable))


def test_a_pool_that_is_gone_names_what_its_last_worker_died_of(bench: Make) -> None:
    it = bench(max_restarts=0)
    it.start()
    it.do(it.host.die, 7)
    error = it.link.unavailable()
    assert isinstance(error.__cause__, WorkerCrashed)
    assert error.__cause__.exit_code == 7


# --- several runs


def test_waiting_runs_have_their_turns_one_batch_each(bench: Make) -> None:
    it = bench()
    it.start()
    first, second, third = (it.run_queue(ahead=False) for _ in range(3))
    it.submit(first, 10, 11, 12)
    it.submit(second, 20, 21, 22)
    it.submit(third, 30)
    served = []
    while it.pool.in_pipes:
        (call,) = it.host.calls()[len(served) :]
        served.append(call.body)
        it.do(it.host.say, reply_to(call))
    # The first run had its turn before the others came, and was next in line when they did.
    assert served == [b"body %d" % ref for ref in (10, 11, 20, 30, 12, 21, 22)]


def test_batches_made_anew_go_before_those_that_wait(bench: Make) -> None:
    it = bench()
    it.start()
    run_queue = it.run_queue(ahead=False)
    it.submit(run_queue, 1, 2, 3)
    it.submit(run_queue, 4, 5, front=True)
    served = []
    while it.pool.in_pipes:
        (call,) = it.host.calls()[len(served) :]
        served.append(call.body)
        it.do(it.host.say, reply_to(call))
    assert served == [b"body %d" % ref for ref in (1, 4, 5, 2, 3)]


def test_a_run_occupies_no_more_workers_than_max_in_flight(bench: Make) -> None:
    it = bench(size=3)
    it.start()
    run_queue = it.run_queue(max_in_flight=2, ahead=False)
    it.submit(run_queue, *range(6))
    assert sum(len(host.calls()) for host in it.hosts) == 2
    assert it.pool.waiting == 4


def test_a_death_in_a_load_is_of_no_other_functions_batch(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.loads = False
    it.start()
    run_queue, other = it.run_queue(), it.run_queue()
    gone = Target("module", "gone")
    gone.stuck = 1  # another worker has died of it
    it.submit(run_queue, 1, target=gone)
    it.submit(other, 2, target=Target("module", "other"))
    it.close(run_queue)  # its batch is cancelled, the load goes on
    for call in it.host.calls()[:1]:
        it.do(it.host.say, frame_of(wire.CANCELLED, call.request_id))
    assert [call.body for call in it.host.calls()] == [b"body 1", b"body 2"]
    it.do(it.host.die, 3)
    assert other.collector.ended == []
