"""PoolExecutor in the place of ProcessPoolExecutor: with workers of its own, from the first call to shutdown."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from support import called
from support.gates import Gates, wait_gone

from slither_actors import LoadError, OptionError, OptionTypeError, System, WorkerError
from slither_actors.futures import InitializerFailed, PoolExecutor, UnsendableError
from slither_actors.system import registry

CODECS = pytest.mark.parametrize("codec", ["msgpack", "pickle"])


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def test_it_takes_the_place_of_a_process_pool() -> None:
    with PoolExecutor(2) as executor:
        assert executor.submit(pow, 2, 8).result() == 256
        assert list(executor.map(called.add, range(10), chunksize=4)) == list(range(10))
        pid = executor.submit(called.pid).result()
    wait_gone(pid)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(pow, 2, 8)


def test_without_a_call_nothing_is_started() -> None:
    before = threading.active_count()
    with PoolExecutor(2) as executor:
        assert threading.active_count() == before
    executor.shutdown()
    PoolExecutor(1)  # and nothing is left of one that was dropped


def test_calls_before_the_workers_are_ready_keep_their_order(gates: Gates, tmp_path: Path) -> None:
    gates.open("start")
    with PoolExecutor(1, initializer=called.wait_at, initargs=(gates["start"],)) as executor:
        for number in range(20):
            executor.submit(called.write, str(tmp_path / "log"), f"{number} ")
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(20)]


def test_a_call_is_cancelled_before_the_workers_are_ready(gates: Gates) -> None:
    with PoolExecutor(1, initializer=called.wait_at, initargs=(gates["start"],)) as executor:
        one, two = executor.submit(called.add, 1), executor.submit(called.add, 2)
        gates.wait_begun("start")
        assert one.cancel()
        assert not two.running()
        gates.open("start")
        assert two.result() == 2


def test_shutdown_without_waiting_finishes_the_calls(gates: Gates) -> None:
    executor = PoolExecutor(1)
    futures = [executor.submit(called.wait_at, gates["a"], number) for number in range(5)]
    executor.shutdown(wait=False)
    (pid,) = gates.wait_begun("a")
    gates.open("a")
    assert [future.result(20) for future in futures] == [0, 1, 2, 3, 4]
    wait_gone(pid)


def test_shutdown_while_the_workers_start_ends_them(gates: Gates) -> None:
    executor = PoolExecutor(1, initializer=called.wait_at, initargs=(gates["start"],))
    future = executor.submit(called.add, 1)
    (pid,) = gates.wait_begun("start")
    executor.shutdown(wait=False, cancel_futures=True)
    assert future.cancelled()
    gates.open("start")
    executor.shutdown()
    wait_gone(pid)


def test_one_that_is_dropped_finishes_its_calls(gates: Gates) -> None:
    executor = PoolExecutor(1)
    results = executor.map(called.wait_at, [gates["a"]] * 3, range(3))
    del executor
    gc.collect()
    (pid,) = gates.wait_begun("a")
    gates.open("a")
    assert list(results) == [0, 1, 2]
    wait_gone(pid)


# -- the initializer


@CODECS
def test_each_worker_is_initialized(codec: Literal["msgpack", "pickle"]) -> None:
    for initializer in (called.remember, called.remember_later):
        with PoolExecutor(2, initializer=initializer, initargs=({"x": (1,)},), codec=codec) as executor:
            futures = [executor.submit(called.recall) for _ in range(6)]
            assert [future.result() for future in futures] == [{"x": (1,)}] * 6


def test_an_initializer_may_hold_an_object() -> None:
    with PoolExecutor(1, initializer=called.Counter(1).remember, codec="pickle") as executor:
        assert executor.submit(called.recall).result() == 1


@CODECS
def test_an_initializer_that_raises_breaks_the_executor(codec: Literal["msgpack", "pickle"]) -> None:
    with PoolExecutor(2, initializer=called.refuse_to_start, codec=codec) as executor:
        futures = [executor.submit(called.add, number) for number in range(3)]
        for future in futures:
            with pytest.raises(BrokenExecutor, match="no model there") as raised:
                future.result(40)
            assert type(raised.value) is InitializerFailed
        with pytest.raises(InitializerFailed):
            executor.submit(called.add, 1)
        cause = raised.value.__cause__
        assert isinstance(cause, LoadError)
        assert isinstance(cause.reason, WorkerError)
        assert "in refuse_to_start" in cause.reason.traceback


def test_an_initializer_is_checked_at_once() -> None:
    with pytest.raises(TypeError, match="initializer must be a function, not 3"):
        PoolExecutor(1, initializer=3)  # type: ignore[arg-type]
    with pytest.raises(UnsendableError, match="is a lambda"):
        PoolExecutor(1, initializer=lambda: None)
    with pytest.raises(UnsendableError, match=r"argument of the initializer support.called.remember.*lock"):
        PoolExecutor(1, initializer=called.remember, initargs=(threading.Lock(),))
    with pytest.raises(UnsendableError, match="cannot be pickled"):
        PoolExecutor(1, initializer=called.remember, initargs=(threading.Lock(),), codec="pickle")


# -- parameters


def test_workers_are_replaced_after_so_many_calls() -> None:
    with PoolExecutor(1, max_tasks_per_child=3) as executor:
        pids = [executor.submit(called.pid).result() for _ in range(7)]
    assert [len(set(pids[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


def test_there_are_as_many_workers_as_said(gates: Gates) -> None:
    with PoolExecutor(max_workers=3) as executor:
        futures = [executor.submit(called.wait_at, gates["a"]) for _ in range(5)]
        pids = gates.wait_begun("a", 3)
        gates.open("a")
        for future in futures:
            future.result()
    assert len(set(pids)) == 3


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_contexts_that_start_interpreters_are_taken(method: str) -> None:
    with PoolExecutor(1, multiprocessing.get_context(method)) as executor:
        assert executor.submit(called.add, 1).result() == 1


WRONG: dict[str, tuple[dict[str, Any], type[OptionError], str]] = {
    "no workers": ({"max_workers": 0}, OptionError, "max_workers must be greater than 0"),
    "fewer": ({"max_workers": -1}, OptionError, "max_workers must be greater than 0"),
    "text": ({"max_workers": "4"}, OptionTypeError, "max_workers must be"),
    "a System": ({"max_workers": System()}, OptionTypeError, "give a System by its name: system=..."),
    "no tasks": ({"max_tasks_per_child": 0}, OptionError, "max_tasks_per_child must be"),
    "fork": ({"mp_context": multiprocessing.get_context("fork")}, OptionError, "mp_context cannot be one that forks"),
    "a pool": ({"pool": "default"}, OptionError, "give system=..., too"),
    "a codec": ({"codec": "json"}, OptionError, "codec must be"),
    "a limit": ({"timeout": 0}, OptionError, "timeout must be"),
    "no System": ({"system": 3}, OptionTypeError, "system must be a System, not 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_named(case: str) -> None:
    options, kind, text = WRONG[case]
    with pytest.raises(kind) as raised:
        PoolExecutor(**options)
    assert text in str(raised.value)
    assert raised.value.option == next(iter(options))


# -- beside others


def test_dispatch_does_not_use_the_workers_of_an_executor() -> None:
    with PoolExecutor(1) as executor:
        executor.submit(called.add, 1).result()
        assert registry.running_system() is None


def test_executors_do_not_notice_each_other() -> None:
    with PoolExecutor(1) as one, PoolExecutor(1) as two:
        pids = {one.submit(called.pid).result(), two.submit(called.pid).result()}
        one.shutdown()
        assert two.submit(called.add, 1).result() == 1
    assert len(pids) == 2


def test_no_loop_is_blocked_by_the_start() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        with PoolExecutor(1) as executor:
            return await loop.run_in_executor(executor, called.add, 1, 2)

    assert asyncio.run(main()) == 3


def test_threads_share_an_executor() -> None:
    wrong: list[object] = []

    def work(executor: PoolExecutor, start: int) -> None:
        futures = [executor.submit(called.add, number) for number in range(start, start + 100)]
        wrong.extend(number for number, each in enumerate(futures, start) if each.result() != number)

    with PoolExecutor(2) as executor:
        threads: list[Callable[[], None]] = []
        for start in (0, 100, 200, 300):
            thread = threading.Thread(target=work, args=(executor, start))
            thread.start()
            threads.append(thread.join)
        for join in threads:
            join()
    assert wrong == []
