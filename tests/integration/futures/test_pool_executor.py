"""PoolExecutor over the pool of a running System, as code written for concurrent.futures uses it."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from pathlib import Path
from typing import Any

import pytest
from support import called
from support.gates import Gates

from slither_actors import LoadError, OptionError, PoolSpec, System, SystemStopped, UnknownPool, WorkerError
from slither_actors.futures import PoolExecutor, UnsendableError


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=2), "single": PoolSpec(size=1)}, name="futures") as system:
        with PoolExecutor(system=system) as executor:
            executor.submit(called.pid).result()  # starts the thread that completes futures: now, not in some test
        yield system


@pytest.fixture
def executor(system: System) -> Iterator[PoolExecutor]:
    with PoolExecutor(system=system) as executor:
        yield executor


@pytest.fixture
def single(system: System) -> Iterator[PoolExecutor]:
    """One worker: what is behind a call at a gate has not begun."""
    with PoolExecutor(system=system, pool="single") as executor:
        yield executor


@pytest.fixture
def pickling(system: System) -> Iterator[PoolExecutor]:
    with PoolExecutor(system=system, codec="pickle") as executor:
        yield executor


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def settle(system: System) -> None:
    """Have the scheduler deliver what was sent to it, and what comes of that: a cancel is on its way to the worker."""
    for _ in range(4):
        system.statistics()


def test_a_call_returns_what_its_function_returns(executor: PoolExecutor) -> None:
    assert executor.submit(called.add, 1, 2).result() == 3
    assert executor.submit(called.add, "a", right="b", twice=True).result() == "abab"
    assert executor.submit(pow, 2, 8).result() == 256
    assert executor.submit(called.Counter.named, "x").result() == "counter x"


@pytest.mark.parametrize("value", [None, (1, (2,)), {"a": {1, 2}}, b"x" * 100_000, 1 << 80, [], {3: [None]}])
def test_arguments_and_results_keep_their_types(executor: PoolExecutor, value: Any) -> None:
    assert executor.submit(called.given, value, key=value).result() == ((value,), {"key": value})


def test_arrays_travel(executor: PoolExecutor) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(100_000.0)
    assert (executor.submit(called.add, array, 1).result() == array + 1).all()


def test_async_functions_are_awaited(executor: PoolExecutor, pickling: PoolExecutor) -> None:
    for each in (executor, pickling):
        assert list(each.map(called.double_later, [1, 2, 3])) == [2, 4, 6]
        with pytest.raises(ValueError, match="negative: -1"):
            each.submit(called.double_later, -1).result()


def test_nothing_of_a_call_is_kept_behind_its_result(executor: PoolExecutor, eventually: Callable[..., None]) -> None:
    numpy = pytest.importorskip("numpy")
    gc.collect()
    gc.disable()
    try:
        array = numpy.arange(100.0)
        argument, future = weakref.ref(array), executor.submit(called.add, array, 1)
        result = weakref.ref(future.result())
        del array
        eventually(lambda: argument() is None)
        del future
        eventually(lambda: result() is None)
    finally:
        gc.enable()


def test_calls_run_in_workers_side_by_side(executor: PoolExecutor, gates: Gates) -> None:
    futures = [executor.submit(called.wait_at, gates["a"], number) for number in range(2)]
    pids = gates.wait_begun("a", 2)
    gates.open("a")
    assert len(set(pids)) == 2
    assert [future.result() for future in futures] == [0, 1]


def test_map_keeps_the_order_of_its_input(executor: PoolExecutor) -> None:
    assert list(executor.map(called.add, range(50), range(50))) == list(range(0, 100, 2))
    assert list(executor.map(called.add, range(10), range(3))) == [0, 2, 4]
    assert list(executor.map(called.add, [])) == []


@pytest.mark.parametrize("chunksize", [1, 3, 10, 50])
def test_map_sends_chunks(executor: PoolExecutor, chunksize: int) -> None:
    assert list(executor.map(called.add, range(10), chunksize=chunksize)) == list(range(10))


@pytest.mark.parametrize("chunksize", [1, 2, 4, 9])
def test_map_yields_what_is_before_an_exception(executor: PoolExecutor, chunksize: int) -> None:
    results = executor.map(called.fail_at, range(9), [5] * 9, chunksize=chunksize)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no 5"):
        next(results)
    assert list(results) == []


def test_a_bounded_map_reads_as_results_are_taken(executor: PoolExecutor) -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            pulled.append(number)
            yield number

    results = executor.map(called.add, source(), chunksize=2, buffersize=3)
    assert len(pulled) == 6
    for number in range(101):
        assert next(results) == number
        assert len(pulled) <= number + 2 + 6
    results.close()  # type: ignore[attr-defined]
    assert len(list(executor.map(called.add, range(9), buffersize=100))) == 9


def test_a_bounded_map_keeps_its_executor_open(system: System) -> None:
    results = PoolExecutor(system=system).map(called.add, range(9), buffersize=2)
    gc.collect()
    assert list(results) == list(range(9))


def test_a_bounded_map_ends_with_its_executor(system: System) -> None:
    executor = PoolExecutor(system=system)
    results = executor.map(called.add, range(9), buffersize=2)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(results)


def test_map_refuses_at_once(executor: PoolExecutor) -> None:
    with pytest.raises(ValueError, match="buffersize must be None or > 0"):
        executor.map(called.add, [1], buffersize=0)
    with pytest.raises(ValueError, match="chunksize must be >= 1"):
        executor.map(called.add, [1], chunksize=0)
    with pytest.raises(UnsendableError, match="lambda"):
        executor.map(lambda x: x, [1])


def test_map_fails_where_an_argument_cannot_travel(executor: PoolExecutor, pickling: PoolExecutor) -> None:
    for each in (executor, pickling):
        results = each.map(called.add, [1, threading.Lock(), 3])
        assert next(results) == 1
        with pytest.raises(UnsendableError, match="lock"):
            next(results)


def test_map_is_overdue(system: System, single: PoolExecutor, gates: Gates) -> None:
    waits = [gates["open"], gates["shut"], gates["behind"]]
    gates.open("open")
    results = single.map(called.wait_at, waits, [1, 2, 3], timeout=1.0)
    assert next(results) == 1
    with pytest.raises(TimeoutError):
        next(results)
    settle(system)
    gates.open("shut", "behind")
    single.submit(called.pid).result()
    assert gates.begun("behind") == []  # cancelled


def test_a_map_that_is_left_cancels_the_rest(system: System, single: PoolExecutor, gates: Gates) -> None:
    gates.open("open")
    results = single.map(called.wait_at, [gates["open"], gates["shut"], gates["behind"]])
    next(results)
    gates.wait_begun("shut")
    results.close()  # type: ignore[attr-defined]
    settle(system)
    gates.open("shut", "behind")
    single.submit(called.pid).result()
    assert gates.begun("behind") == []


def test_a_call_that_has_not_begun_is_cancelled(system: System, single: PoolExecutor, gates: Gates) -> None:
    first = single.submit(called.wait_at, gates["a"], "done")
    gates.wait_begun("a")
    second = single.submit(called.wait_at, gates["b"])
    assert not first.cancel()
    assert second.cancel()
    settle(system)
    gates.open("a", "b")
    assert first.result() == "done"
    single.submit(called.pid).result()
    assert gates.begun("b") == []


def test_wait_and_as_completed_work(executor: PoolExecutor, gates: Gates) -> None:
    slow = executor.submit(called.wait_at, gates["a"])
    quick = executor.submit(called.add, 1)
    assert wait([slow, quick], return_when=FIRST_COMPLETED).done == {quick}
    gates.open("a")
    assert set(as_completed([slow, quick])) == {slow, quick}


def test_callbacks_are_called(executor: PoolExecutor) -> None:
    heard: Future[Future[int]] = Future()
    future = executor.submit(called.add, 1)
    future.add_done_callback(heard.set_result)
    assert heard.result(20) is future


def test_asyncio_runs_calls_in_it(executor: PoolExecutor) -> None:
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        partial = functools.partial(called.add, right=5, twice=True)
        return await asyncio.gather(
            loop.run_in_executor(executor, called.add, 1, 2),
            loop.run_in_executor(executor, partial, 1),
            loop.run_in_executor(executor, called.raise_built_in, "KeyError", "x"),
            return_exceptions=True,
        )

    one, two, error = asyncio.run(main())
    assert (one, two, type(error), error.args) == (3, 12, KeyError, ("x",))


def test_a_cancelled_task_cancels_its_call(system: System, single: PoolExecutor, gates: Gates) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = loop.run_in_executor(single, called.wait_at, gates["a"])
        second = loop.run_in_executor(single, called.wait_at, gates["b"])
        await asyncio.to_thread(gates.wait_begun, "a")
        second.cancel()
        await asyncio.sleep(0)  # the loop passes it on
        settle(system)
        gates.open("a", "b")
        await first

    asyncio.run(main())
    single.submit(called.pid).result()
    assert gates.begun("b") == []


# -- exceptions


def test_a_built_in_exception_comes_as_its_class(executor: PoolExecutor) -> None:
    error = executor.submit(called.raise_built_in, "LookupError", "there", 3).exception()
    assert type(error) is LookupError
    assert error.args == ("there", 3)
    cause = error.__cause__
    assert isinstance(cause, WorkerError)
    assert (cause.type, cause.message) == ("LookupError", "('there', 3)")
    assert "in raise_built_in" in cause.traceback


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("UnicodeDecodeError", ("utf-8", b"\xff", 0, 1, "bad")),
        ("OSError", (13, "denied", "/file")),
        ("StopIteration", (1,)),
        ("SyntaxError", ("bad", ("file", 1, 2, "text"))),
        ("ValueError", ()),
        ("KeyError", ({"a": [1]}, (2,))),
        ("BlockingIOError", (11, "again", 5)),
    ],
)
def test_odd_arguments_of_exceptions_come_back(executor: PoolExecutor, name: str, args: tuple[Any, ...]) -> None:
    error = executor.submit(called.raise_built_in, name, *args).exception()
    here: Any = None
    try:
        called.raise_built_in(name, *args)
    except Exception as raised:
        here = raised
    assert (type(error), str(error), error and error.args) == (type(here), str(here), here.args)


def test_recursion_is_an_error_of_its_call(executor: PoolExecutor) -> None:
    error = executor.submit(called.recurse).exception()
    assert type(error) is RecursionError
    assert "recurse()" in str(error.__cause__)


@pytest.mark.parametrize(
    ("function", "args", "name"),
    [
        (called.raise_own, (), "support.called.Own"),
        (called.raise_panic, (), "support.called.Panic"),
        (called.raise_group, (), "ExceptionGroup"),
        (called.exit_with, (3,), "SystemExit"),
        (called.raise_built_in, ("KeyboardInterrupt",), "KeyboardInterrupt"),
        (called.raise_built_in, ("GeneratorExit",), "GeneratorExit"),
    ],
)
def test_other_exceptions_come_as_worker_errors(
    single: PoolExecutor, function: Any, args: tuple[Any, ...], name: str
) -> None:
    before = single.submit(called.pid).result()
    error = single.submit(function, *args).exception()
    assert type(error) is WorkerError
    assert error.type == name
    assert single.submit(called.pid).result() == before


def test_a_module_that_workers_lack_is_a_load_error(
    executor: PoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_in_the_host.py").write_text("def f():\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_in_the_host  # type: ignore[import-not-found]

    error = executor.submit(only_in_the_host.f).exception()
    assert isinstance(error, LoadError)
    assert "cannot load only_in_the_host.f" in str(error)
    assert "PoolSpec(path=[...])" in str(error)


# -- what cannot be sent


def test_functions_are_refused_by_submit(executor: PoolExecutor) -> None:
    for function in (lambda: None, called.Counter(1).count, called.make_lambda(), None):
        with pytest.raises(TypeError):
            executor.submit(function)  # type: ignore[arg-type]


def test_an_argument_without_a_form_fails_its_future(executor: PoolExecutor) -> None:
    good, bad, keyword = (
        executor.submit(called.add, 1),
        executor.submit(called.add, 1, [threading.Lock()]),
        executor.submit(called.given, key={"lock": threading.Lock()}),
    )
    with pytest.raises(TypeError, match=r"^args\[1\]\[0\] of support.called.add cannot be sent to a worker: .*lock"):
        bad.result()
    with pytest.raises(
        TypeError, match=r"^kwargs\['key'\]\['lock'\] of support.called.given cannot be sent.*plain data"
    ):
        keyword.result()
    assert good.result() == 1


def test_a_result_without_a_form_fails_its_future(executor: PoolExecutor, pickling: PoolExecutor) -> None:
    for each in (executor, pickling):
        with pytest.raises(UnsendableError, match=r"^the result of support.called.make_lambda cannot be sent back: .*"):
            each.submit(called.make_lambda).result()
        assert each.submit(called.add, 1).result() == 1


def test_more_than_a_frame_fails_its_future(tmp_path: Path) -> None:
    with System({"default": PoolSpec(size=1, max_frame=10_000)}) as system, PoolExecutor(system=system) as executor:
        with pytest.raises(UnsendableError, match=r"the call of support.called.add cannot be sent.*max_frame is 10000"):
            executor.submit(called.add, b"x" * 20_000).result()
        with pytest.raises(
            UnsendableError, match=r"the result of _operator.mul cannot be sent back.*max_frame is 10000"
        ):
            executor.submit(__import__("operator").mul, b"x", 20_000).result()
        assert executor.submit(called.add, 1).result() == 1


# -- pickle


def test_pickle_takes_methods_of_objects(pickling: PoolExecutor) -> None:
    assert pickling.submit(called.Counter(40).count, 2).result() == 42
    assert pickling.submit(called.Counter(40), by=2).result() == 1042
    assert pickling.submit("x".upper).result() == "X"
    assert list(pickling.map(called.Counter(1).count, range(5), chunksize=2)) == [1, 2, 3, 4, 5]


def test_pickle_is_for_one_way_only(pickling: PoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(called, "STATE", {})
    assert type(pickling.submit(called.malicious).exception()) is UnsendableError
    error = pickling.submit(called.raise_malicious).exception()
    assert type(error) is ValueError
    assert "Malicious object" in error.args[0]
    assert called.STATE == {}


def test_what_cannot_be_pickled_fails_its_future(pickling: PoolExecutor) -> None:
    with pytest.raises(UnsendableError, match="cannot be pickled"):
        pickling.submit(called.add, threading.Lock()).result()
    assert pickling.submit(called.add, 1).result() == 1


def test_what_cannot_be_unpickled_fails_its_future(pickling: PoolExecutor) -> None:
    error = pickling.submit(called.add, called.Unloadable()).exception()
    assert isinstance(error, WorkerError)
    assert (error.kind, error.type, error.message) == ("decode", "ValueError", "no model there")


# -- the end, and wrong arguments


def test_shutdown_leaves_the_system_running(system: System) -> None:
    executor = PoolExecutor(system=system)
    future = executor.submit(called.add, 1)
    executor.shutdown()
    executor.shutdown(wait=False)
    assert future.result(0) == 1
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(called.add, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(called.add, [1])
    assert system.health().ready


def test_shutdown_cancels_what_has_not_begun(system: System, gates: Gates) -> None:
    executor = PoolExecutor(system=system, pool="single")
    first = executor.submit(called.wait_at, gates["a"], 1)
    gates.wait_begun("a")
    rest = [executor.submit(called.add, 1) for _ in range(20)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in rest)
    gates.open("a")
    executor.shutdown()
    assert first.result(0) == 1


def test_a_stopped_system_takes_no_calls() -> None:
    system = System({"default": PoolSpec(size=1)})
    with system:
        executor = PoolExecutor(system=system)
        assert executor.submit(called.add, 1).result() == 1
    with pytest.raises(RuntimeError, match="was stopped"):
        executor.submit(called.add, 1)
    executor.shutdown()


def test_a_stop_of_the_system_fails_what_is_pending(gates: Gates) -> None:
    with System({"default": PoolSpec(size=1)}) as system:
        executor = PoolExecutor(system=system)
        futures = [executor.submit(called.wait_at, gates["a"]) for _ in range(3)]
        gates.wait_begun("a")
    executor.shutdown()
    assert {type(future.exception(0)) for future in futures} == {SystemStopped}


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"max_workers": 2}, "max_workers"),
        ({"max_tasks_per_child": 2}, "max_tasks_per_child"),
        ({"initializer": called.remember}, "initializer"),
    ],
)
def test_what_is_for_own_workers_excludes_a_system(system: System, options: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError, match=f"{option} is for workers of the executor's own") as raised:
        PoolExecutor(system=system, **options)
    assert raised.value.option == option


def test_an_unknown_pool_is_refused(system: System) -> None:
    with pytest.raises(UnknownPool):
        PoolExecutor(system=system, pool="singel")


def test_defaults_of_the_system_do_not_change_calls(gates: Gates) -> None:
    from slither_actors import Retry

    with (
        System({"default": PoolSpec(size=1)}, dispatch={"on_error": Retry(max_attempts=3), "timeout": 0.01}) as system,
        PoolExecutor(system=system) as executor,
    ):
        future = executor.submit(called.wait_at, gates["a"], 1)
        gates.wait_begun("a")
        gates.open("a")
        assert future.result() == 1
        assert len(gates.begun("a")) == 1
