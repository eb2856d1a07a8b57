"""What a pool does once no run is there for a while."""

from __future__ import annotations

from collections.abc import Callable

from support.pool_bench import Bench, reply_to

from slither_actors.pools.memory_rest import TRIM_AFTER
from slither_actors.pools.messages import TRIM_AGAIN
from slither_actors.pools.worker import executor


def trims(bench: Bench) -> list[str]:
    return [line for host in bench.hosts for line in host.log if line.startswith("trim")]


def test_after_the_last_run_each_worker_gives_memory_back_once(bench: Callable[..., Bench]) -> None:
    it = bench(size=2).start()
    first, second = it.run_queue(), it.run_queue()
    it.submit(first)
    it.submit(second)
    it.close(first)
    it.scheduler.advance(5 * TRIM_AFTER)
    assert trims(it) == []
    it.close(second)
    it.scheduler.advance(TRIM_AFTER / 2)
    assert trims(it) == []
    it.scheduler.advance(TRIM_AFTER / 2)
    assert trims(it) == [f"trim at {it.scheduler.clock.now:g}"] * 2
    it.scheduler.advance(100 * TRIM_AFTER)
    assert len(trims(it)) == 2


def test_runs_that_come_and_go_keep_it(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    for _ in range(10):
        run_queue = it.run_queue()
        it.submit(run_queue)
        it.close(run_queue)
        it.scheduler.advance(0.9 * TRIM_AFTER)
    assert trims(it) == []
    it.scheduler.advance(0.1 * TRIM_AFTER)
    assert len(trims(it)) == 1


def test_a_run_that_is_there_when_the_time_is_over_keeps_it(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    first, second = it.run_queue(), it.run_queue()
    it.submit(first)
    it.close(first)
    it.scheduler.advance(TRIM_AFTER / 2)
    it.submit(second)
    it.scheduler.advance(5 * TRIM_AFTER)
    assert trims(it) == []
    it.close(second)
    it.scheduler.advance(TRIM_AFTER)
    assert len(trims(it)) == 1


def test_what_a_closed_run_has_left_at_a_worker_is_waited_for(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    run_queue = it.run_queue(timeout=None)
    it.submit(run_queue, 1)
    it.close(run_queue)
    it.scheduler.advance(TRIM_AFTER)
    assert len(trims(it)) == 1
    it.scheduler.advance(TRIM_AGAIN)
    assert len(trims(it)) == 2
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    it.scheduler.advance(TRIM_AGAIN)
    assert len(trims(it)) == 3
    it.scheduler.advance(10 * TRIM_AGAIN)
    assert len(trims(it)) == 3


def test_what_a_consumer_still_looks_at_is_asked_for_again(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    run_queue = it.run_queue()
    it.submit(run_queue)
    it.close(run_queue)
    it.host.still_used = 2
    it.scheduler.advance(TRIM_AFTER + 10 * executor.TRIM_AGAIN)
    assert len(trims(it)) == 3


def test_a_worker_that_is_not_there_yet_is_left_alone(bench: Callable[..., Bench]) -> None:
    it = bench()
    it.greets = False
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue)
    it.close(run_queue)
    it.scheduler.advance(TRIM_AFTER)
    assert trims(it) == []
    assert it.pool.ready == 0
