"""`on_abandon="kill"`: a worker is killed for work that is not wanted any more; the test plays the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.pool_bench import COMMAND_TARGET, Bench, frame_of, reply_to

from slither_actors.errors import SessionLost, WorkerUnwanted
from slither_actors.pools.assignment.job import Job
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.worker.unwanted import STARTS_BETWEEN, may_kill
from slither_actors.wire import frames as wire

Make = Callable[..., Bench]
START = 0.5


def started(it: Bench) -> Bench:
    """Start it with workers whose start takes half a second."""
    it.greets = False
    it.start()
    greet(it)
    return it


def greet(it: Bench) -> None:
    """The worker made last gets ready."""
    it.scheduler.advance(START)
    it.do(it.host.ready)


def running(it: Bench, *refs: int, **options: Any) -> tuple[Any, list[Job]]:
    """A run with these jobs in the worker's pipe, to be killed when it is left."""
    run_queue: Any = it.run_queue(kill=True, **options)
    it.warm(run_queue)
    return run_queue, it.submit(run_queue, *refs)


def kills(it: Bench) -> dict[str, int]:
    return dict(it.counts.kills)


def test_a_run_that_is_left_ends_its_worker(bench: Make) -> None:
    it = started(bench())
    run_queue, _ = running(it, 1)
    it.close(run_queue)
    assert kills(it) == {"unwanted": 1}
    assert len(it.hosts) == 2  # the next one is made at once, by the same Executor
    assert (it.counts.deaths, it.counts.restarts, run_queue.collector.ended) == (0, {}, [])
    assert it.link.restarts.streak == 0


def test_by_default_it_finishes(bench: Make) -> None:
    it = started(bench())
    run_queue = it.run_queue()
    it.submit(run_queue, 1)
    it.close(run_queue)
    assert kills(it) == {}
    assert len(it.hosts) == 1


def test_what_waits_in_that_pipe_is_sent_again_uncharged(bench: Make) -> None:
    it = started(bench())
    run_queue, (first, second) = running(it, 1, 2)
    it.cancel(run_queue, first)
    assert kills(it) == {"unwanted": 1}
    greet(it)
    assert [call.body for call in it.host.calls()] == [b"body 2"]
    assert (second.attempt, second.spared, second.deaths, it.counts.redelivered) == (1, 0, 0, 1)
    assert run_queue.collector.ended == []
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert run_queue.collector.refs == [2]


def test_what_only_waits_in_a_pipe_is_cancelled_not_killed(bench: Make) -> None:
    it = started(bench())
    run_queue, (_, second) = running(it, 1, 2)
    it.cancel(run_queue, second)
    assert kills(it) == {}
    assert it.host.cancels() == [it.host.calls()[1].request_id]


def test_one_that_has_answered_meanwhile_is_not_killed(bench: Make) -> None:
    it = started(bench())
    run_queue, _ = running(it, 1)
    it.host.late = [reply_to(it.host.calls()[0])]
    it.close(run_queue)
    assert kills(it) == {}


def test_a_function_of_items_is_killed_in_the_middle_of_one(bench: Make) -> None:
    it = started(bench())
    run_queue: Any = it.run_queue(kill=True)
    it.submit(run_queue, 1, target=Target(None, "each", each=True))
    it.close(run_queue)
    assert kills(it) == {"unwanted": 1}


def test_a_load_is_not_killed(bench: Make) -> None:
    it = started(bench())
    it.loads = False
    run_queue: Any = it.run_queue(kill=True)
    it.submit(run_queue, 1, target=Target("m", "f"))
    it.close(run_queue)
    assert kills(it) == {}


def test_there_are_ten_starts_between_two_such_kills(bench: Make) -> None:
    it = started(bench())
    it.close(running(it, 1)[0])
    greet(it)
    it.close(running(it, 2)[0])
    assert kills(it) == {"unwanted": 1}  # so soon it finishes
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    assert it.counts.late == 1
    it.scheduler.advance(STARTS_BETWEEN * START)
    it.close(running(it, 3)[0])
    assert kills(it) == {"unwanted": 2}


def test_the_pause_is_of_each_worker(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    for number in (1, 2):
        it.close(running(it, number)[0])
    assert kills(it) == {"unwanted": 2}


def test_the_pause_survives_the_executor(bench: Make) -> None:
    it = started(bench())
    it.close(running(it, 1)[0])
    greet(it)
    it.do(it.host.die, 3)  # on its own: another Executor
    it.scheduler.advance(0.0)
    greet(it)
    it.close(running(it, 2)[0])
    assert kills(it) == {"unwanted": 1}


def test_what_may_be_killed_by_the_numbers() -> None:
    assert may_kill(None, 5.0, 100.0)
    assert not may_kill(5.0, 5.9, 0.1)
    assert may_kill(5.0, 6.0, 0.1)


def test_a_session_of_another_keeps_its_worker(bench: Make) -> None:
    it = started(bench())
    other: Any = it.run_queue(session="theirs", affinity="strict")
    it.submit(other, 1)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    run_queue, _ = running(it, 2)
    it.close(run_queue)
    assert kills(it) == {}


def test_its_own_session_is_lost_with_it(bench: Make) -> None:
    it = started(bench())
    run_queue, (first, _) = running(it, 1, 2, session="mine", affinity="strict")
    it.cancel(run_queue, first)
    assert kills(it) == {"unwanted": 1}
    greet(it)
    (lost,) = [outcome for _, outcome in run_queue.collector.ended]
    assert isinstance(lost, SessionLost)
    assert isinstance(lost.__cause__, WorkerUnwanted)


def test_beside_work_that_is_wanted_it_finishes(bench: Make) -> None:
    it = started(bench(concurrency=2))
    wanted = it.run_queue()
    it.submit(wanted, 1)
    run_queue, _ = running(it, 2)
    it.close(run_queue)
    assert kills(it) == {}
    it.do(it.host.say, reply_to(it.host.calls()[0]))  # and now all that is left is unwanted
    assert kills(it) == {"unwanted": 1}
    assert wanted.collector.refs == [1]  # type: ignore[attr-defined]


def test_all_that_a_worker_executes_may_be_unwanted(bench: Make) -> None:
    it = started(bench(concurrency=2))
    (first, _), (second, _) = running(it, 1), running(it, 2)
    it.close(first)
    assert kills(it) == {}
    it.close(second)
    assert kills(it) == {"unwanted": 1}
    greet(it)
    assert it.host.calls() == []
    assert it.pool.in_pipes == 0


def test_nothing_that_it_says_before_its_death_counts(bench: Make) -> None:
    it = started(bench())
    it.killable = False
    run_queue, _ = running(it, 1)
    it.close(run_queue)
    it.do(it.host.say, reply_to(it.host.calls()[0]))
    it.do(it.host.say, frame_of(wire.REPLY, 999, b"\x90", count=1))
    it.do(it.host.die, None, 9)
    assert (kills(it), it.counts.late, it.counts.protocol_errors) == ({"unwanted": 1}, 0, {})
    assert COMMAND_TARGET.stuck == 0
