"""The stores of sessions without a given id go from the workers when their run has ended."""

from __future__ import annotations

from collections.abc import Callable

from support.pool_bench import Bench, reply_to

from slither_actors.pools.pool import FORGET_AFTER
from slither_actors.wire import frames as wire
from slither_actors.wire.codec import decode


def forgotten(bench: Bench, host: int = 0) -> list[object]:
    """Return the sessions that a worker was asked to forget."""
    return [decode(frame.body) for frame in bench.hosts[host].requests if frame.kind == wire.FORGET]


def run(bench: Bench, session: str) -> None:
    """A run of one batch, from its submission to its end."""
    queue = bench.run_queue(session=session)
    bench.submit(queue, 1)
    (host,) = [host for host in bench.hosts if host.pid is not None]
    host.say(reply_to(host.calls()[-1]))
    bench.scheduler.run_until_idle()
    bench.close(queue, forget_session=True)


def test_they_go_ahead_of_the_next_jobs(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    for session in ("a", "b"):
        run(it, session)
    kinds = [frame.kind for frame in it.hosts[0].requests if frame.kind in (wire.COMMAND, wire.FORGET)]
    assert kinds == [wire.COMMAND, wire.FORGET, wire.COMMAND]
    assert forgotten(it) == ["a"]


def test_they_go_soon_without_further_jobs(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    run(it, "a")
    assert forgotten(it) == []
    it.scheduler.advance(FORGET_AFTER)
    assert forgotten(it) == ["a"]
    it.scheduler.advance(10 * FORGET_AFTER)
    assert forgotten(it) == ["a"]


def test_a_new_worker_has_nothing_to_forget(bench: Callable[..., Bench]) -> None:
    it = bench().start()
    run(it, "a")
    it.hosts[0].die(signal=9)
    it.scheduler.advance(FORGET_AFTER + 60)
    assert forgotten(it, 0) == forgotten(it, 1) == []
