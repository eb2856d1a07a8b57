"""Blocking calls in the thread of a running event loop work, and say what they do to it."""

from __future__ import annotations

import asyncio
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import scripts
from support.worker import FUNCTIONS

from slither_actors import Dispatch, EventLoopBlocked, PoolSpec, System, loops

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
        yield system


def in_a_loop(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return call()

    return asyncio.run(main())


def payloads(items: Any) -> list[Any]:
    return [item.payload for item in items]


def two(stream: Any) -> list[Any]:
    return payloads([next(stream), next(stream)])


CALLS: dict[str, tuple[Callable[[System], Any], str, str]] = {
    "run": (lambda system: payloads(system.dispatch.run([1, 2], **DOUBLE)), "run blocks", "arun"),
    "facade": (lambda system: payloads(Dispatch.run([1, 2], **DOUBLE)), "run blocks", "arun"),
    "call_batch": (lambda system: payloads(system.dispatch.call_batch([1, 2], **DOUBLE)), "call_batch blocks", "acall"),
    "stream": (lambda system: payloads(system.dispatch.stream([1, 2], **DOUBLE)), "stream blocks", "astream"),
    "next": (lambda system: two(system.dispatch.stream([1, 2], **DOUBLE)), "stream blocks", "astream"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_blocking_call_works_and_warns_once_with_the_remedy(system: System, name: str) -> None:
    call, text, remedy = CALLS[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert in_a_loop(lambda: call(system)) == [2, 4]
    (warning,) = caught
    assert warning.category is EventLoopBlocked
    assert issubclass(EventLoopBlocked, RuntimeWarning)
    assert text in str(warning.message)
    assert remedy in str(warning.message)
    assert warning.filename == __file__  # the caller's line, however deep inside it was noticed


def test_start_drain_and_stop_warn_too() -> None:
    def life(system: System) -> None:
        system.start()
        system.drain(5)
        system.stop()  # stopped already: nothing to wait for

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        in_a_loop(lambda: life(System({"default": PoolSpec(size=1)})))
    assert [str(each.message).partition(" ")[0] for each in caught] == ["System.start", "System.drain"]
    system = System({"default": PoolSpec(size=1)}).start()
    with pytest.warns(EventLoopBlocked, match=r"System\.stop blocks .*to_thread\(system\.stop\)"):
        assert in_a_loop(system.stop)


def test_an_error_filter_does_not_prevent_a_stop() -> None:
    system = System({"default": PoolSpec(size=1)})
    with warnings.catch_warnings():
        warnings.simplefilter("error", EventLoopBlocked)
        with pytest.raises(EventLoopBlocked):
            in_a_loop(system.start)
        system.start()
        assert in_a_loop(system.stop)


def test_without_a_running_loop_nothing_is_warned_of(system: System) -> None:
    loop = asyncio.new_event_loop()  # there is one, and it does not run
    try:
        assert payloads(system.dispatch.run([1], **DOUBLE)) == [2]
    finally:
        loop.close()
    assert in_a_loop(lambda: None) is None
    assert payloads(system.dispatch.run([1], **DOUBLE)) == [2]


def test_a_thread_beside_the_loop_may_block(system: System) -> None:
    async def main() -> Any:
        return await asyncio.to_thread(system.dispatch.run, [1], **DOUBLE)

    assert payloads(asyncio.run(main())) == [2]


def test_asynchronous_calls_warn_of_nothing(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        import asyncio
        warnings.simplefilter("error")
        async def main():
            print([item.payload for item in await Dispatch.arun([1], module="tasks", function="double")])
            async with System({"default": PoolSpec(size=1)}) as system:
                async with system.dispatch.astream([2], module="tasks", function="double") as stream:
                    print([item.payload async for item in stream])
        asyncio.run(main())
        """,
    )
    assert (done.stdout.split("\n")[:-1], done.stderr) == (["[2]", "[4]"], "")


def test_starting_the_default_system_adds_no_second_warning(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        import asyncio
        async def main():
            for _ in range(3):
                print([item.payload for item in Dispatch.run([1], module="tasks", function="double")])
        asyncio.run(main())
        """,
    )
    assert done.stdout.split("\n")[:-1] == ["[2]"] * 3
    assert done.stderr.count("EventLoopBlocked") == 1
    assert "script.py:" in done.stderr


def test_without_asyncio_it_is_not_imported(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        print([item.payload for item in Dispatch.run([1], module="tasks", function="double")])
        print("asyncio" in sys.modules)
        """,
    )
    assert done.stdout.split("\n")[:-1] == ["[2]", "False"], done.stderr


def test_in_a_jupyter_kernel_each_call_warns_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setattr(loops, "_warned", set())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            in_a_loop(lambda: system.dispatch.run([1], **DOUBLE))
            in_a_loop(lambda: list(system.dispatch.stream([1], **DOUBLE)))
    assert len(caught) == 2
