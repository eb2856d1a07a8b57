"""A dynamic batcher on real workers: from tasks and threads, with failures, deadlines, priorities and an end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates
from support.loops import until
from support.worker import FUNCTIONS

from slither_actors import (
    BatcherClosed,
    DeadlineExceeded,
    OptionError,
    Overloaded,
    PayloadError,
    PoolSpec,
    PoolUnavailable,
    Retry,
    System,
    SystemStopped,
    WorkerCrashed,
    WorkerError,
)
from slither_actors.dynamic_batcher.batcher import DynamicBatcher
from slither_actors.dynamic_batcher.home import Home
from slither_actors.dynamic_batcher.loop_home import LoopHome
from slither_actors.dynamic_batcher.thread_home import ThreadHome

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates"}
SECONDS = 30


@pytest.fixture
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_restarts=None)}) as system:
        yield system


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


async def begun(gates: Gates, name: str) -> None:
    await asyncio.to_thread(gates.wait_begun, name)


def test_each_caller_gets_its_own_answer(system: System) -> None:
    async def main() -> Any:
        async with system.batcher(**DOUBLE, max_batch_size=16) as double:
            answers = await asyncio.gather(*map(double, range(1000)))
            assert answers == [2 * number for number in range(1000)]
            return double.statistics()

    taken = asyncio.run(main())
    assert (taken.calls, taken.done, taken.queue, taken.executing, taken.gone) == (1000, 1000, 0, 0, 0)
    assert max(taken.sizes) == 16
    assert sum(taken.closed_by.values()) == taken.batches


def test_calls_of_one_turn_go_together_and_at_once(system: System) -> None:
    async def main() -> Any:
        async with system.batcher(**DOUBLE, max_wait=3600.0) as double:
            await asyncio.gather(*map(double, range(5)))
            return double.statistics()

    taken = asyncio.run(main())
    assert taken.sizes == {5: 1}
    assert taken.closed_by == {"idle": 1}


def test_batches_form_while_all_workers_are_busy(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, max_batch_size=3, max_wait=3600.0) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            others = []
            for number in range(1, 5):
                others.append(call(number))
                await asyncio.sleep(0)
            gates.open("a")
            assert await asyncio.gather(first, *others) == [0, 1, 2, 3, 4]
            return call.statistics()

    taken = asyncio.run(main())
    assert taken.sizes == {1: 2, 3: 1}
    assert taken.closed_by == {"idle": 2, "full": 1}


def test_a_part_filled_batch_waits_no_longer_than_max_wait(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, max_wait=0.01) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            second = call(1)
            await until(lambda: call.statistics().closed_by.get("wait"))
            gates.open("a")
            assert await asyncio.gather(first, second) == [0, 1]

    asyncio.run(main())


def test_weights_close_batches(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(
            module="tasks",
            function="through_gates",
            weight_fn=lambda value: 1 if type(value) is tuple else value,
            max_weight=5,
        ) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            others = [call(value) for value in (3, 2, 9, 1)]
            gates.open("a")
            assert await asyncio.gather(first, *others) == [0, 3, 2, 9, 1]
            return call.statistics().sizes

    assert asyncio.run(main()) == {1: 3, 2: 1}


@pytest.mark.parametrize("each", [True, False])
def test_a_bad_call_fails_its_own_caller_only(system: System, each: bool) -> None:
    function = "negative_fails" if each else "negative_ones_fail"

    async def main() -> list[Any]:
        async with system.batcher(module="tasks", function=function, each=each) as call:
            return await asyncio.gather(*map(call, [1, 2, -3, 4, -5, 6]), return_exceptions=True)

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [int, int, WorkerError, int, WorkerError, int]
    assert "negative: -3" in str(answers[2])


def test_without_split_all_of_the_batch_fail(system: System) -> None:
    async def main() -> list[Any]:
        async with system.batcher(module="tasks", function="negative_ones_fail", split=False) as call:
            return await asyncio.gather(*map(call, [1, -2, 3]), return_exceptions=True)

    assert [type(answer) for answer in asyncio.run(main())] == [WorkerError] * 3


def test_a_retry_is_for_the_call_that_fails_alone(system: System, tmp_path: Path) -> None:
    async def main() -> Any:
        policy = Retry(max_attempts=3, backoff=0.0)
        async with system.batcher(module="tasks", function="log_and_fail", each=True, on_error=policy) as call:
            return await call((str(tmp_path / "log"), 2))

    assert asyncio.run(main()) == 3


def test_a_retry_among_the_defaults_is_for_batchers_too(tmp_path: Path) -> None:
    async def main(system: System) -> Any:
        async with system.batcher(module="tasks", function="log_and_fail", each=True) as call:
            return await call((str(tmp_path / "log"), 2))

    pools = {"default": PoolSpec(size=1, path=[FUNCTIONS])}
    with System(pools, dispatch={"on_error": Retry(max_attempts=3, backoff=0.0), "batch_size": 4}) as system:
        assert asyncio.run(main(system)) == 3


def test_a_crash_costs_the_call_at_fault(system: System, tmp_path: Path) -> None:
    async def main() -> list[Any]:
        async with system.batcher(module="tasks", function="log_and_crash") as call:
            fatal = call((str(tmp_path / "fatal"), 9))
            answers = await asyncio.gather(fatal, call((str(tmp_path / "good"), 0)), return_exceptions=True)
            return [*answers, await call((str(tmp_path / "later"), 0))]

    crashed, good, later = asyncio.run(main())
    assert isinstance(crashed, WorkerCrashed)
    assert (good, later) == (1, 1)


def test_what_cannot_be_sent_fails_its_own_caller(system: System) -> None:
    async def main() -> list[Any]:
        async with system.batcher(**DOUBLE) as double:
            return await asyncio.gather(double(1), double(object()), double(3), return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first, third) == (2, 6)
    assert isinstance(second, PayloadError)


def test_a_full_queue_refuses_at_once(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, max_queue=2, max_batch_size=8) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            waiting = [call(1), call(2)]
            with pytest.raises(Overloaded, match="max_queue") as caught:
                call(3)
            assert caught.value.bound == 2
            waiting[0].cancel()
            await asyncio.sleep(0)
            waiting.append(call(4))  # in the place of the one that is gone
            gates.open("a")
            assert await asyncio.gather(first, *waiting[1:]) == [0, 2, 4]
            return call.statistics()

    taken = asyncio.run(main())
    assert (taken.overloaded, taken.gone, taken.done) == (1, 1, 3)


@pytest.mark.parametrize(("wait", "where"), [(3600.0, "waiting for a batch"), (0.0, "at its worker")])
def test_a_call_that_is_overdue_is_not_executed(system: System, gates: Gates, wait: float, where: str) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, deadline=3600.0, max_wait=wait) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            with pytest.raises(DeadlineExceeded, match=where):
                await call((1, gates["b"]), deadline=0.01)
            gates.open("a")
            assert await first == 0
            return call.statistics()

    taken = asyncio.run(main())
    assert (taken.overdue, taken.done) == (1, 1)
    assert not gates.begun("b")


def test_a_deadline_ends_a_call_in_execution(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with system.batcher(**GATED) as call:
            late = call((0, gates["a"]), deadline=0.3)
            await begun(gates, "a")
            with pytest.raises(DeadlineExceeded, match="at its worker"):
                await late
            gates.open("a")
            assert await call(1) == 1

    asyncio.run(main())


def test_answered_calls_are_not_kept_until_their_deadline(system: System) -> None:
    async def main() -> int:
        async with system.batcher(**DOUBLE, deadline=3600.0) as double:
            for _ in range(20):
                await asyncio.gather(*map(double, range(100)))
            (home,) = double._homes()
            return len(home._deadlines)

    assert asyncio.run(main()) <= 512


def test_the_higher_priority_goes_first(system: System, gates: Gates) -> None:
    async def main() -> list[int]:
        order: list[int] = []

        async def one(call: DynamicBatcher, number: int, priority: int) -> None:
            order.append(await call(number, priority=priority))

        async with system.batcher(**GATED, max_batch_size=1) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            ahead = call(9)  # it waits behind the first one, at the worker
            await asyncio.sleep(0)
            async with asyncio.TaskGroup() as group:
                for number, priority in enumerate((0, -1, 5, 0, 5), 1):
                    group.create_task(one(call, number, priority))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                gates.open("a")
            await asyncio.gather(first, ahead)
        return order

    assert asyncio.run(main()) == [3, 5, 1, 4, 2]


def test_a_caller_that_is_cancelled_is_taken_out(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with system.batcher(**GATED) as call:
            first = call((0, gates["a"]))
            await begun(gates, "a")
            gone = asyncio.create_task(asyncio.wait_for(call((1, gates["b"])), 3600))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            gates.open("a")
            assert await first == 0
            assert await call(2) == 2

    asyncio.run(main())
    assert not gates.begun("b")


@pytest.mark.parametrize("threads", [False, True])
def test_work_without_callers_is_killed_if_that_is_wanted(system: System, gates: Gates, threads: bool) -> None:
    async def main() -> None:
        async with system.batcher(**GATED, on_abandon="kill") as call:
            first = call.submit((0, gates["a"])) if threads else call((0, gates["a"]))
            await begun(gates, "a")
            first.cancel()
            assert await call(1) == 1  # though the gate is shut

    asyncio.run(main())


def test_its_end_answers_all_that_it_has(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, max_wait=3600.0) as call:
            calls = [call((0, gates["a"]))]
            await begun(gates, "a")
            calls += [call(number) for number in range(1, 200)]
            gates.open("a")
        assert [future.result() for future in calls] == list(range(200))
        with pytest.raises(BatcherClosed):
            call(1)
        with pytest.raises(BatcherClosed):
            call.submit(1)
        await call.aclose()

    asyncio.run(main())


def test_threads_get_futures(system: System) -> None:
    with system.batcher(**DOUBLE) as double:
        futures = [double.submit(number) for number in range(100)]
        assert [future.result(SECONDS) for future in futures] == [2 * number for number in range(100)]
        assert list(double.map(iter(range(300)), ahead=7)) == [2 * number for number in range(300)]
        taken = double.statistics()
    assert (taken.calls, taken.done) == (400, 400)


def test_map_pulls_no_further_than_it_may(system: System) -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for number in range(1000):
            pulled.append(number)
            yield number

    with system.batcher(**DOUBLE) as double:
        results = double.map(source(), ahead=4)
        assert next(results) == 0
        assert len(pulled) == 4
        results.close()  # type: ignore[attr-defined]  # a generator


def test_threads_get_errors_and_deadlines(system: System, gates: Gates) -> None:
    with system.batcher(module="tasks", function="negative_ones_fail", max_queue=2) as call:
        first = call.submit((0, gates["a"]))
        gates.wait_begun("a")
        late = call.submit(1, deadline=0.01)
        assert isinstance(late.exception(SECONDS), DeadlineExceeded)
        cancelled = call.submit(2)
        assert cancelled.cancel()
        bad = call.submit(-3)
        gates.open("a")
        assert first.result(SECONDS) == 0
        assert isinstance(bad.exception(SECONDS), WorkerError)


def test_threads_are_refused_by_a_full_queue(system: System, gates: Gates) -> None:
    with system.batcher(**GATED, max_queue=2) as call:
        first = call.submit((0, gates["a"]))
        gates.wait_begun("a")
        second, third = call.submit(1), call.submit(2)
        with pytest.raises(Overloaded):
            call.submit(3)
        gates.open("a")
        assert [future.result(SECONDS) for future in (first, second, third)] == [0, 1, 2]


def test_chunks_of_one_call_come_one_after_the_other(system: System) -> None:
    async def main() -> list[Any]:
        async with system.batcher(module="chunked", function="count") as count:
            chunks = [chunk async for chunk in count.stream_one(3)]
        with pytest.raises(BatcherClosed):
            count.stream_one(3)
        return chunks

    assert asyncio.run(main()) == [0, 1, 2]


def test_loops_and_threads_share_one(system: System) -> None:
    call = system.batcher(**DOUBLE)
    answers: dict[int, list[int]] = {}

    async def of_a_loop(number: int) -> None:
        answers[number] = await asyncio.gather(*map(call, range(number, number + 50)))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(of_a_loop(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    assert list(call.map(range(50))) == list(range(0, 100, 2))
    for thread in threads:
        thread.join(SECONDS)
    assert answers == {n: [2 * number for number in range(n, n + 50)] for n in range(3)}
    call.close()
    assert call.statistics().done == 200
    assert all(isinstance(home, (LoopHome, ThreadHome, Home)) for home in call._homes())


def test_a_blocking_close_in_its_loop_is_refused(system: System) -> None:
    async def main() -> None:
        call = system.batcher(**DOUBLE)
        assert await call(1) == 2
        with pytest.raises(RuntimeError, match="aclose"):
            call.close()
        await call.aclose()

    asyncio.run(main())


def test_a_drain_answers_what_waits(system: System, gates: Gates) -> None:
    async def main() -> None:
        call = system.batcher(**GATED, max_batch_size=1)
        calls = [call((0, gates["a"])), *map(call, range(1, 20))]
        await begun(gates, "a")
        draining = asyncio.create_task(asyncio.to_thread(system.drain, SECONDS))
        await until(lambda: not system.takes_runs)
        with pytest.raises(SystemStopped):
            call(1)
        gates.open("a")
        assert await asyncio.gather(*calls) == list(range(20))
        assert (await draining).drained

    asyncio.run(main())


def test_a_stop_ends_what_waits(system: System, gates: Gates) -> None:
    async def main() -> list[Any]:
        call = system.batcher(**GATED, max_batch_size=1)
        calls = [call((0, gates["a"])), *map(call, range(1, 5))]
        await begun(gates, "a")
        await asyncio.to_thread(system.stop)
        return await asyncio.gather(*calls, return_exceptions=True)

    assert {type(answer) for answer in asyncio.run(main())} == {SystemStopped}


def test_it_survives_its_pool(tmp_path: Path) -> None:
    spec = PoolSpec(size=1, path=[FUNCTIONS], max_restarts=0)

    async def main(system: System) -> None:
        async with system.batcher(module="tasks", function="log_and_crash", split=False) as call:
            answer = (await asyncio.gather(call((str(tmp_path / "a"), 9)), return_exceptions=True))[0]
            assert isinstance(answer, (WorkerCrashed, PoolUnavailable))
            for _ in range(10_000):
                try:
                    assert await call((str(tmp_path / "b"), 0)) > 0
                    return
                except (PoolUnavailable, WorkerCrashed):
                    await asyncio.sleep(0.01)

    with System({"default": spec}) as system:
        asyncio.run(main(system))


@pytest.mark.parametrize(
    "options", [{"batch_size": 3}, {"linger": 1.0}, {"ordering": "preserve"}, {"on_error": "skip"}, {"nonsense": 1}]
)
def test_options_without_a_meaning_are_refused(system: System, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        system.batcher(**DOUBLE, **options)


@pytest.mark.parametrize("option", [{"priority": "high"}, {"priority": 1.5}, {"deadline": 0}, {"deadline": "soon"}])
def test_a_wrong_option_of_a_call_is_refused(system: System, option: dict[str, Any]) -> None:
    async def main() -> None:
        async with system.batcher(**DOUBLE) as double:
            with pytest.raises(OptionError):
                double(1, **option)
            with pytest.raises(OptionError):
                double.submit(1, **option)

    asyncio.run(main())


def test_what_needs_runs_of_its_own_is_refused(system: System) -> None:
    with pytest.raises(OptionError, match="of several callers"):
        system.batcher(**DOUBLE, max_in_flight_bytes=1000)


def test_one_that_is_dropped_leaves_nothing(system: System) -> None:
    async def main() -> None:
        call = system.batcher(**DOUBLE)
        assert await call(1) == 2

    asyncio.run(main())
    gc.collect()
    assert system._opener.live.count == 0


def test_where_no_loop_runs_a_call_says_so(system: System) -> None:
    with system.batcher(**DOUBLE) as double, pytest.raises(RuntimeError, match="no running event loop"):
        double(1)
