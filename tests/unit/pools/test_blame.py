"""What the end of a worker costs the batch it was at, and when an item has had its time; time is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.pool_bench import Bench, frame_of, reply_to

from slither_actors import BatchTimeout, ProtocolError, SessionLost, WorkerCrashed
from slither_actors.pools.assignment.job import AtItem, Job
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.messages import Submit
from slither_actors.pools.worker.blame import MOST_SPARED
from slither_actors.wire import frames as wire
from slither_actors.wire.frames import Frame

Make = Callable[..., Bench]
EACH = Target("module", "function", each=True)
ALL = Target("module", "function")


def submit(it: Bench, run_queue: Any, *refs: int, target: Target = EACH, count: int = 4) -> list[Job]:
    jobs = [Job(run_queue, ref, count, target, body=b"body %d" % ref) for ref in refs]
    it.link.ref.tell(Submit(run_queue, jobs))
    it.scheduler.run_until_idle()
    return jobs


def at(it: Bench, index: int, seconds: float = 0.0, call: int = -1) -> None:
    """The worker comes to this item of the batch that it was sent last."""
    it.host.at = Progress(it.host.calls()[call].request_id, index, seconds)


def started(bench: Make, target: Target = EACH, count: int = 4, **run_queue: Any) -> tuple[Bench, Any]:
    it = bench(max_restarts=None).start()
    made = it.run_queue(**run_queue)
    it.warm(made)
    submit(it, made, 1, target=target, count=count)
    return it, made


def last_call(it: Bench) -> Frame:
    return it.host.calls()[-1]


# --- death


def test_the_item_it_was_at_is_charged(bench: Make) -> None:
    it, run_queue = started(bench)
    at(it, 2)
    it.do(it.host.die, None, 11)
    outcome = run_queue.collector.of(1)
    assert type(outcome) is AtItem
    assert (outcome.index, outcome.error.signal) == (2, 11)
    assert isinstance(outcome.error, WorkerCrashed)


@pytest.mark.parametrize("index", [None, 4], ids=["before the first", "behind the last"])
def test_a_death_at_no_item_is_spared_so_often(bench: Make, index: int | None) -> None:
    it, run_queue = started(bench)
    for number in range(MOST_SPARED + 1):
        assert run_queue.collector.ended == []
        assert (last_call(it).body, last_call(it).attempt) == (b"body 1", 1)
        if index is None:
            it.host.at = Progress(0, 0, 0.0)
        else:
            at(it, index)
        it.do(it.host.die, None, 9)
        it.scheduler.advance(10)
        assert len(it.hosts) == number + 2
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)
    assert (it.counts.deaths, it.counts.redelivered) == (MOST_SPARED + 1, MOST_SPARED)


@pytest.mark.parametrize("told", [Progress(987_654, 2, 0.0), "beyond"])
def test_nonsense_is_no_item(bench: Make, told: Any) -> None:
    it, run_queue = started(bench)
    it.host.at = Progress(last_call(it).request_id, 5, 0.0) if told == "beyond" else told
    it.do(it.host.die, None, 9)
    assert run_queue.collector.ended == []
    assert last_call(it).body == b"body 1"


def test_a_host_that_cannot_tell_has_the_batch_charged(bench: Make) -> None:
    it, run_queue = started(bench)
    it.do(it.host.die, None, 9)
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)


def test_a_batch_of_one_is_its_item(bench: Make) -> None:
    it, run_queue = started(bench, count=1)
    at(it, 0)
    it.do(it.host.die, None, 9)
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)


def test_a_batch_function_that_says_nothing_is_charged_whole(bench: Make) -> None:
    it, run_queue = started(bench, ALL)
    it.host.at = Progress(0, 0, 0.0)
    it.do(it.host.die, None, 9)
    assert isinstance(run_queue.collector.of(1), WorkerCrashed)


def test_one_that_says_where_it_is_has_its_item_charged(bench: Make) -> None:
    it, run_queue = started(bench, ALL)
    at(it, 3)
    it.do(it.host.die, None, 9)
    assert run_queue.collector.of(1).index == 3


def test_a_kill_in_a_load_is_charged_to_nobody(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.loads = False
    it.start()
    run_queue = it.run_queue()
    submit(it, run_queue, 1)
    for host in range(3):
        it.do(it.hosts[host].die, None, 9)
        assert run_queue.collector.ended == []
    assert it.counts.redelivered == 3


def test_nonsense_in_the_pipe_is_charged_to_the_item(bench: Make) -> None:
    it, run_queue = started(bench)
    at(it, 1)
    host = it.host
    it.do(host.say, frame_of(wire.REPLY, 987_654))
    outcome = run_queue.collector.of(1)
    assert outcome.index == 1
    assert isinstance(outcome.error, ProtocolError)


def test_the_batch_behind_it_is_not_judged_by_it(bench: Make) -> None:
    it = bench(max_restarts=None).start()
    run_queue = it.run_queue()
    submit(it, run_queue, 0)  # so that the function is loaded
    it.do(it.host.say, reply_to(last_call(it)))
    it.warm(run_queue)
    submit(it, run_queue, 1, 2)
    first, second = it.host.calls()[1:]
    it.host.at = Progress(first.request_id, 3, 0.0)
    it.host.late = []
    it.do(it.host.say, reply_to(first))  # it is dead already, and had answered the first
    it.do(it.host.die, None, 9)
    assert run_queue.collector.refs == [0, 1]
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert second.request_id != last_call(it).request_id


def test_a_bound_session_loses_its_batch_whole(bench: Make) -> None:
    it, run_queue = started(bench, session="s", affinity="strict")
    at(it, 2)
    it.do(it.host.die, None, 9)
    assert isinstance(run_queue.collector.of(1), SessionLost)


def test_a_cancelled_batch_is_not_spared_but_dropped(bench: Make) -> None:
    it = bench(max_restarts=None).start()
    run_queue = it.run_queue()
    jobs = submit(it, run_queue, 1)
    it.cancel(run_queue, *jobs)
    it.host.at = Progress(0, 0, 0.0)
    it.do(it.host.die, None, 9)
    assert it.host.calls() == []
    assert (run_queue.collector.ended, it.pool.in_pipes) == ([], 0)


# --- the clock


def test_a_growing_index_restarts_the_clock(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0)
    for index in range(4):
        it.scheduler.advance(4.0)
        at(it, index)
    it.scheduler.advance(4.0)
    it.do(it.host.say, reply_to(last_call(it)))
    assert run_queue.collector.of(1).kind == wire.REPLY
    assert it.counts.kills == {}


def test_an_item_has_its_timeout_from_its_own_start(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0)
    at(it, 1, seconds=0.0)
    it.scheduler.advance(4.0)
    at(it, 2, seconds=-1.0)  # it claims to begin in the future: it began at the look, at 1005
    it.scheduler.advance(5.9)
    assert run_queue.collector.ended == []
    it.scheduler.advance(0.2)
    outcome = run_queue.collector.of(1)
    assert (type(outcome), outcome.index) == (AtItem, 2)
    assert isinstance(outcome.error, BatchTimeout)
    assert (outcome.error.timeout, outcome.error.done, outcome.error.count) == (5.0, 2, 4)
    assert "kill at 1010" in it.hosts[0].log


def test_an_item_that_began_early_has_what_is_left(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0)
    it.scheduler.advance(4.0)
    at(it, 1, seconds=3.0)  # as it will be at the look, at 1005: it began at 1002
    it.scheduler.advance(2.9)
    assert run_queue.collector.ended == []
    it.scheduler.advance(0.2)
    assert run_queue.collector.of(1).index == 1
    assert "kill at 1007" in it.hosts[0].log


@pytest.mark.parametrize("target", [EACH, ALL])
def test_without_a_word_the_batch_has_one_timeout(bench: Make, target: Target) -> None:
    it, run_queue = started(bench, target, timeout=5.0)
    it.scheduler.advance(5.0)
    assert "kill at 1005" in it.hosts[0].log
    error = run_queue.collector.of(1)
    assert (error.of, error.count, error.done) == ("batch", 4, None)


def test_a_hang_before_the_first_item_is_spared_as_a_death_is(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0)
    for _ in range(MOST_SPARED + 1):
        assert run_queue.collector.ended == []
        it.host.at = Progress(0, 0, 0.0)
        it.scheduler.advance(5.0)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)
    assert it.counts.kills == {"timeout": MOST_SPARED + 1}


def test_batch_timeout_bounds_it_however_it_grows(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0, batch_timeout=12.0)
    for index in range(3):
        at(it, index)
        it.scheduler.advance(4.0)
    error = run_queue.collector.of(1)
    assert isinstance(error, BatchTimeout)
    assert (error.option, error.timeout, error.done, error.count) == ("batch_timeout", 12.0, 2, 4)
    assert "kill at 1012" in it.hosts[0].log


def test_batch_timeout_stands_alone(bench: Make) -> None:
    it, run_queue = started(bench, timeout=None, batch_timeout=3.0)
    at(it, 1)
    it.scheduler.advance(2.9)
    assert run_queue.collector.ended == []
    it.scheduler.advance(0.2)
    assert run_queue.collector.of(1).option == "batch_timeout"


def test_item_over_its_time_is_charged_though_batch_is_over_too(bench: Make) -> None:
    it, run_queue = started(bench, timeout=5.0, batch_timeout=5.0)
    at(it, 0, seconds=5.0)
    it.scheduler.advance(5.0)
    assert run_queue.collector.of(1).index == 0


# --- cancel


def test_a_batch_in_execution_is_cancelled_item_by_item(bench: Make) -> None:
    it = bench().start()
    run_queue = it.run_queue()
    jobs = submit(it, run_queue, 1)
    call = last_call(it)
    it.cancel(run_queue, *jobs)
    assert it.host.cancels() == [call.request_id]
    it.do(it.host.say, frame_of(wire.CANCELLED, call.request_id))
    assert (it.pool.in_pipes, run_queue.collector.ended) == (0, [])
    submit(it, it.run_queue(), 2)
    assert last_call(it).body == b"body 2"


def test_one_that_ends_as_its_cancel_comes_is_dropped(bench: Make) -> None:
    it = bench().start()
    run_queue = it.run_queue()
    jobs = submit(it, run_queue, 1)
    it.cancel(run_queue, *jobs)
    it.do(it.host.say, reply_to(last_call(it)))
    assert (it.pool.in_pipes, run_queue.collector.ended, it.counts.late) == (0, [], 1)


def test_the_next_one_has_the_clock_when_the_first_is_cancelled(bench: Make) -> None:
    it = bench().start()
    run_queue, other = it.run_queue(timeout=50.0), it.run_queue(timeout=5.0, max_in_flight=1)
    first, _ = submit(it, run_queue, 1), submit(it, other, 2)
    it.scheduler.advance(20.0)
    it.cancel(run_queue, *first)
    it.do(it.host.say, frame_of(wire.CANCELLED, it.host.calls()[0].request_id))
    it.scheduler.advance(4.9)
    assert other.collector.ended == []
    it.scheduler.advance(0.2)
    assert isinstance(other.collector.of(2), BatchTimeout)


# --- standstills


@pytest.mark.parametrize("bound", [{"timeout": 3.0}, {"timeout": 3.0, "batch_timeout": 3.0}], ids=["item", "batch"])
def test_a_standstill_is_no_time_that_an_item_had(bench: Make, bound: dict[str, float]) -> None:
    it, run_queue = started(bench, **bound)
    at(it, 0)
    it.scheduler.advance(1.0)
    at(it, 1)
    it.scheduler.advance(1.0)
    it.scheduler.clock.now += 10.0  # SIGSTOP for all of us
    it.scheduler.advance(0.0)
    it.scheduler.advance(0.9)
    assert run_queue.collector.ended == []
    it.scheduler.advance(7.0)
    assert len(run_queue.collector.ended) == 1


def test_a_timeout_when_all_are_done_is_charged_whole(bench: Make) -> None:
    it, run_queue = started(bench, timeout=3.0)
    at(it, 4)
    it.scheduler.advance(7.0)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)
