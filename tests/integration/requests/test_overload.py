"""More than the workers can do: what is accepted is answered, and the rest is refused at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates
from support.loops import until
from support.worker import FUNCTIONS

from slither_actors import DispatchError, Item, Overloaded, PoolSpec, QueueTimeout, Retry, System

GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates"}
SLEEPS: dict[str, Any] = {"module": "tasks", "function": "naps_for"}


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


@pytest.fixture
def system() -> Iterator[System]:
    """Two workers, for which eight may wait."""
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS], max_waiting=8)}) as system:
        yield system


def refused(answer: object) -> bool:
    return isinstance(answer, DispatchError) and isinstance(answer.reason, Overloaded)


def test_calls_of_tasks_beyond_the_bound_are_refused(system: System, gates: Gates) -> None:
    score = system.dispatch.bind(**GATED, prefetch=0)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(score.acall_batch([(n, gates["a"])])) for n in range(30)]
        await until(lambda: sum(task.done() for task in tasks) == 20)
        health = system.health()
        assert health.ready
        assert health.reasons == ("pool 'default' refuses more: 8 runs and requests wait (max_waiting=8)",)
        gates.open("a")
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())
    accepted = [(n, answer) for n, answer in enumerate(answers) if not isinstance(answer, BaseException)]
    assert len(accepted) == 10
    assert all(answer == [Item(0, n)] for n, answer in accepted)
    assert sum(map(refused, answers)) == 20
    assert all(answer.unfinished == [0] for answer in answers if isinstance(answer, DispatchError))
    assert len(gates.begun("a")) == 10  # nothing that was refused was executed
    counts = system.statistics().pools["default"].counts
    assert (counts.overloaded, counts.queue_timeouts, counts.overdue) == (20, 0, 0)
    assert system.health().reasons == ()


def test_runs_beyond_the_bound_are_refused(system: System, gates: Gates, eventually: Any) -> None:
    first = system.dispatch.stream(((n, gates["a"]) for n in range(100)), **GATED, batch_size=1, max_in_flight=2)
    reader = threading.Thread(target=lambda: list(first))
    reader.start()
    gates.wait_begun("a", 2)  # it has both workers, and many batches that wait; it is not refused
    futures: list[Future[Any]] = []
    threads = []
    for _ in range(10):
        future: Future[Any] = Future()
        thread = threading.Thread(target=run_in, args=(future, system, gates))
        thread.start()
        futures.append(future)
        threads.append(thread)
    eventually(lambda: sum(future.done() for future in futures) == 2)
    gates.open("a")
    for thread in (reader, *threads):
        thread.join(20)
    outcomes = [future.exception() or future.result() for future in futures]
    assert sum(map(refused, outcomes)) == 2
    assert sum(outcome == [0, 1, 2] for outcome in outcomes) == 8
    assert system.statistics().pools["default"].counts.overloaded == 2


def run_in(future: Future[Any], system: System, gates: Gates) -> None:
    try:
        source = ((n, gates["a"]) for n in range(3))
        future.set_result([item.payload for item in system.dispatch.run(source, **GATED, batch_size=1)])
    except DispatchError as error:
        future.set_exception(error)


@pytest.mark.parametrize("policy", ["halt", "skip", Retry(5, backoff=0.0, split=True, then="skip")])
def test_no_policy_hides_that_it_was_refused(gates: Gates, policy: Any) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_waiting=0)}) as system:
        busy = system.dispatch.bind(**GATED).submit([(1, gates["a"])])
        gates.wait_begun("a")
        for source in ([(2, gates["a"])], ((n, gates["a"]) for n in range(3))):
            with pytest.raises(DispatchError) as caught:
                system.dispatch.run(source, **GATED, on_error=policy)
            assert refused(caught.value)
        gates.open("a")
        assert busy.result(20) == [Item(0, 1)]
        assert len(gates.begun("a")) == 1


def test_a_call_that_is_attempted_again_is_not_refused(gates: Gates) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_waiting=1)}) as system:
        fails = system.dispatch.bind(
            module="tasks", function="negative_ones_fail", on_error=Retry(3, backoff=0.0, then="skip")
        )
        first = fails.submit([(-1, gates["a"])])
        gates.wait_begun("a")
        second = system.dispatch.bind(**GATED).submit([(2, gates["b"])])  # waits: the bound is reached
        gates.open("a", "b")
        assert first.result(20)[0].meta["skipped"]
        assert second.result(20) == [Item(0, 2)]
        assert system.statistics().pools["default"].counts.overloaded == 0


def test_the_batcher_gives_each_of_its_calls_the_refusal(gates: Gates) -> None:
    async def main() -> None:
        spec = PoolSpec(size=1, path=[FUNCTIONS], max_waiting=0)
        async with System({"default": spec}) as system:
            busy = system.dispatch.bind(**GATED).submit([(1, gates["a"])])
            await asyncio.to_thread(gates.wait_begun, "a")
            async with system.batcher(**GATED) as score:
                answers = await asyncio.gather(*(score(n) for n in range(5)), return_exceptions=True)
                assert [type(answer) for answer in answers] == [Overloaded] * 5
                gates.open("a")
                await asyncio.wrap_future(busy)
                assert await score(7) == 7

    asyncio.run(main())


def test_what_waits_too_long_fails_by_its_policy(gates: Gates) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], queue_timeout=0.2)}) as system:
        busy = system.dispatch.bind(**GATED).submit([(1, gates["a"])])
        gates.wait_begun("a")
        for source in ([2, 3], iter([2, 3])):
            with pytest.raises(DispatchError) as caught:
                system.dispatch.run(source, **GATED)
            assert isinstance(caught.value.reason, QueueTimeout)
            assert isinstance(caught.value.reason, TimeoutError)
            assert caught.value.unfinished == [0, 1]
        skipped = system.dispatch.run([2, 3], **GATED, on_error="skip")
        assert [type(item.meta["error"]) for item in skipped] == [QueueTimeout, QueueTimeout]
        assert system.statistics().pools["default"].counts.queue_timeouts == 3
        gates.open("a")
        assert busy.result(20) == [Item(0, 1)]
        assert len(gates.begun("a")) == 1


def test_another_attempt_waits_in_line_again(gates: Gates, eventually: Any) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], queue_timeout=0.2)}) as system:
        busy = system.dispatch.bind(**GATED).submit([(1, gates["a"])])
        gates.wait_begun("a")
        policy = Retry(1000, backoff=0.0, split=True)
        again = system.dispatch.bind(**GATED, on_error=policy, batch_size=4).submit([2, 3, 4])
        eventually(lambda: system.statistics().pools["default"].counts.queue_timeouts >= 2)
        gates.open("a")
        assert [item.payload for item in again.result(20)] == [2, 3, 4]
        assert busy.result(20) == [Item(0, 1)]


def test_a_long_run_does_not_fail_by_its_own_length() -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], queue_timeout=0.1)}) as system:
        source = ((n, 0.03) for n in range(30))  # with its window pulled the last one waits for longer
        results = system.dispatch.run(source, **SLEEPS, batch_size=1)
        assert [item.payload for item in results] == list(range(30))
        assert system.statistics().pools["default"].counts.queue_timeouts == 0
