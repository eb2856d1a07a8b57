"""A worker that does not answer while it loads a function: what that says of it, and what of the function."""

from __future__ import annotations

from collections.abc import Callable

from support.pool_bench import Bench, FakeHost, frame_of, reply_to

from slither_actors.errors import LoadError
from slither_actors.pools.assignment.target import Target
from slither_actors.wire import frames as wire

Make = Callable[..., Bench]


def loaded(it: Bench, host: FakeHost) -> None:
    """The last load that it was asked for is done."""
    load = [frame for frame in host.requests if frame.kind == wire.LOAD][-1]
    it.do(host.say, frame_of(wire.LOADED, load.request_id))


def given(bench: Make, size: int) -> tuple[Bench, Target]:
    it = bench(size=size, start_timeout=10.0)
    it.loads = False
    it.start()
    return it, Target("module", "function")


def test_its_batches_go_to_the_next_worker_as_the_same_attempt(bench: Make) -> None:
    it, target = given(bench, 1)
    run_queue = it.run_queue()
    it.warm(run_queue)
    jobs = it.submit(run_queue, 1, 2, 3, target=target)
    it.scheduler.advance(10.1)
    assert len(it.hosts) == 2
    assert [call.body for call in it.host.calls()] == [b"body 1", b"body 2", b"body 3"]
    assert [job.attempt for job in jobs] == [1, 1, 1]
    loaded(it, it.host)
    for call in it.host.calls():
        it.do(it.host.say, reply_to(call))
    assert run_queue.collector.refs == [1, 2, 3]
    assert (it.counts.redelivered, it.counts.deaths, it.counts.kills) == (3, 0, {"load_timeout": 1})
    assert target.stuck == 0


def test_another_worker_is_preferred_to_its_successor(bench: Make) -> None:
    it, target = given(bench, 2)
    run_queue = it.run_queue()
    it.submit(run_queue, 1, target=target)
    stuck = next(host for host in it.hosts if host.calls())
    (well,) = [host for host in it.hosts if host is not stuck]
    it.scheduler.advance(10.1)
    assert [call.body for call in well.calls()] == [b"body 1"]


def test_with_a_worker_that_has_it_a_function_is_not_at_fault(bench: Make) -> None:
    it, target = given(bench, 2)
    run_queue = it.run_queue(max_in_flight=2, ahead=False, timeout=None)
    it.submit(run_queue, 1, 2, target=target)
    well = it.hosts[0]
    loaded(it, well)
    for _ in range(5):  # each worker in the other place is stuck
        it.scheduler.advance(10.1)
    assert run_queue.collector.ended == []
    assert it.counts.kills == {"load_timeout": 5}
    (first,) = well.calls()
    it.do(well.say, reply_to(first))
    assert len(run_queue.collector.refs) == 1


def test_a_run_after_one_that_ended_so_may_try_it_twice_again(bench: Make) -> None:
    it, target = given(bench, 1)
    for ref in (1, 2):
        run_queue = it.run_queue()
        it.submit(run_queue, ref, target=target)
        it.scheduler.advance(10.1)
        assert run_queue.collector.ended == []
        it.scheduler.advance(10.1)
        assert isinstance(run_queue.collector.of(ref), LoadError)


def test_a_load_in_time_between_two_stuck_ones_resets_the_count(bench: Make) -> None:
    it, target = given(bench, 1)
    run_queue = it.run_queue(timeout=None)
    it.submit(run_queue, 1, target=target)
    it.scheduler.advance(10.1)
    loaded(it, it.host)
    it.do(it.host.die, 1)
    it.resubmit(it.submit(run_queue, 2, target=target)[0])
    it.scheduler.advance(10.1)
    assert not any(isinstance(outcome, LoadError) for _, outcome in run_queue.collector.ended)
