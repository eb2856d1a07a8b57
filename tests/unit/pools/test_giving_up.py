"""A pool over its restart budget, and an Executor that fails itself, under the pool's whole tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from support.pool_bench import Bench, FakeHost, frame_of, reply_to

from slither_actors import BatchTimeout, SessionLost, WorkerCrashed
from slither_actors.wire import frames as wire
from slither_actors.wire.codec import encode

Make = Callable[..., Bench]


def retire() -> wire.Frame:
    return frame_of(wire.RETIRE, 0, encode("max_batches"))


# --- over the budget


def test_a_pool_that_gives_up_kills_its_workers_at_once(bench: Make) -> None:
    it = bench(size=3, max_restarts=0, shutdown=100.0)
    it.start()
    ref = it.link.ref
    run_queue = it.run_queue()
    it.submit(run_queue, 1, 2)
    workers = list(it.hosts)
    it.do(workers[0].die, 1)
    assert not ref.is_alive()
    for worker in workers[1:]:
        # No stop frame, no ladder: what they are at is lost already, and their runs wait to hear of it.
        assert worker.log == ["start", "kill at 1000"]
        assert wire.STOP not in [frame.kind for frame in worker.requests]
    assert it.counts.kills == {"budget": 2}
    assert it.counts.deaths == 1


def test_workers_that_start_retire_or_die_go_with_it(bench: Make) -> None:
    it = bench(size=4, max_restarts=0, shutdown=100.0)
    it.greets = False
    it.start()
    ref = it.link.ref
    failing, starting, timing_out, retiring = it.hosts
    for host in (failing, timing_out, retiring):
        it.do(host.ready)
    run_queue = it.run_queue(timeout=5.0)
    it.submit(run_queue, 1, 2, 3)
    for host in (failing, retiring):
        it.do(host.say, reply_to(host.calls()[0]))
    assert len(timing_out.calls()) == 1
    it.killable = False
    it.do(retiring.say, retire())
    it.scheduler.advance(5.0)
    assert "kill at 1005" in timing_out.log
    it.killable = True
    it.do(failing.die, 1)  # a batch was completed before, so this one is not counted
    assert ref.is_alive()
    it.do(it.host.die, 1)
    assert starting.log[-1] == "kill at 1005"
    assert retiring.log[-1] == "kill at 1005"
    it.do(timing_out.die, None, 9)
    assert not ref.is_alive()
    assert it.counts.kills == {"timeout": 1, "budget": 2}


def test_timeouts_and_recycling_are_no_matter_of_the_budget(bench: Make) -> None:
    it = bench(max_restarts=0)
    it.start()
    ref = it.link.ref
    for number in range(10):
        run_queue = it.run_queue(timeout=5.0)
        it.submit(run_queue, number)
        if number % 2:
            it.scheduler.advance(5.0)
            assert isinstance(run_queue.collector.of(number), BatchTimeout)
        else:
            it.do(it.host.say, reply_to(it.host.calls()[0]), retire())
            it.do(it.host.die, 0)
    assert ref.is_alive()
    assert it.counts.deaths == 0


# --- starts that come to nothing


@pytest.mark.parametrize("size", [1, 2])
def test_pool_without_ready_workers_gives_up_within_its_budget(bench: Make, size: int) -> None:
    it = bench(size=size)
    it.start()
    ref = it.link.ref
    it.greets = False
    for host in list(it.hosts):
        it.do(host.die, 3)
    failed = 0
    while ref.is_alive():
        for host in list(it.hosts):
            if host.pid is not None and ref.is_alive():
                it.do(host.die, 4)
                failed += 1
        it.scheduler.advance(0.01)
        assert failed <= 8 * size
    assert failed == 8 * size
    error = it.link.unavailable()
    assert isinstance(error.__cause__, WorkerCrashed)
    assert error.__cause__.exit_code == 4
    it.greets = True
    it.scheduler.advance(30)
    assert it.pool.ready == size  # it comes back


def test_as_long_as_one_worker_serves_others_may_fail_to_start(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    ref = it.link.ref
    served, failing = it.hosts
    it.greets = False
    it.do(failing.die, 3)
    for _ in range(50):
        if it.host.pid is not None:
            it.do(it.host.die, 4)
        it.scheduler.advance(5.0)
    assert ref.is_alive()
    assert served.log == ["start"]
    # Nor does it matter what failed before, when that one has to be replaced.
    it.do(served.die, 3)
    it.do(it.host.die, 4)
    assert ref.is_alive()
    it.greets = True
    for host in list(it.hosts):
        if host.pid is not None:
            it.do(host.ready)
    it.scheduler.advance(5.0)
    assert it.pool.ready == 2


def test_a_start_that_succeeds_makes_up_for_those_before_it(bench: Make) -> None:
    it = bench(size=1)
    it.start()
    ref = it.link.ref
    for _ in range(5):
        it.greets = False
        for _ in range(7):
            it.do(it.host.die, 4)
            it.scheduler.advance(5.0)
        it.greets = True
        it.do(it.host.ready)
        it.do(it.host.die, 4)
        it.scheduler.advance(5.0)
    assert ref.is_alive()


def test_without_a_budget_it_tries_for_ever(bench: Make) -> None:
    it = bench(size=1, max_restarts=None)
    it.start()
    ref = it.link.ref
    it.greets = False
    for _ in range(100):
        it.do(it.host.die, 4)
        it.scheduler.advance(5.0)
    assert ref.is_alive()


# --- an Executor that fails


@pytest.fixture
def failing(bench: Make, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A pool whose Executor fails when it sends job 2."""
    it = bench(max_restarts=5)
    it.start()
    send = FakeHost.send

    def broken(host: FakeHost, parts: Sequence[bytes | memoryview]) -> None:
        if any(b"body 2" in bytes(part) for part in parts):
            raise OverflowError("a bug of ours")
        send(host, parts)

    monkeypatch.setattr(FakeHost, "send", broken)
    return it


def test_a_batch_of_a_failed_executor_has_lost_an_attempt(
    failing: Bench,
) -> None:
    it = failing
    run_queue = it.run_queue()
    it.submit(run_queue, 2, 3)
    error = run_queue.collector.of(2)
    # By the policy, as any crash: a run with Retry goes on.
    assert isinstance(error, WorkerCrashed)
    assert isinstance(error.__cause__, OverflowError)
    assert "a bug of ours" in error.__notes__[0]
    assert it.hosts[0].log[-1] == "abandon"
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.of(3).kind == wire.REPLY
    assert it.counts.deaths == 1
    assert it.counts.kills == {"abandoned": 1}


def test_sessions_of_a_worker_whose_executor_failed_are_lost(failing: Bench) -> None:
    it = failing
    idle, run_queue = it.run_queue(session="idle", affinity="strict"), it.run_queue(session="s", affinity="strict")
    it.submit(idle, 1)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    it.submit(run_queue, 2)
    assert isinstance(run_queue.collector.of(2), SessionLost)
    assert isinstance(run_queue.collector.of(2).__cause__, WorkerCrashed)
    it.submit(idle, 4)
    assert isinstance(idle.collector.of(4), SessionLost)
