"""The event loop of a worker: which functions it runs, what they raise, and its end."""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors.worker import event_loop as module
from slither_actors.worker.event_loop import EventLoop, is_async, plain


async def adds(number: int, more: int = 1) -> int:
    await asyncio.sleep(0)
    return number + more


class Adds:
    async def __call__(self, number: int) -> int:
        return number + 1

    async def method(self, number: int) -> int:
        return number + 1

    @classmethod
    async def of_class(cls, number: int) -> int:
        return number + 1

    @staticmethod
    async def static(number: int) -> int:
        return number + 1


@types.coroutine
def old_style(number: int) -> Iterator[Any]:
    return number + 1
    yield


def returns(number: int) -> Any:
    return adds(number)


def marked(number: int) -> Any:
    return adds(number)


marked._is_coroutine_mark = object()  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLoop]:
    """An event loop of the test's, closed after it."""
    made = EventLoop()
    monkeypatch.setattr(module, "event_loop", made)
    yield made
    made.close()


@pytest.mark.parametrize(
    "function",
    [
        adds,
        functools.partial(adds, more=1),
        functools.partial(functools.partial(adds), more=1),
        Adds(),
        Adds().method,
        Adds.of_class,
        Adds.static,
        old_style,
        marked,
    ],
)
def test_async_functions_of_all_kinds_are_run(function: Any) -> None:
    assert is_async(function)
    assert plain(function)(1) == 2


@pytest.mark.parametrize("function", [returns, len, str, functools.partial(int, base=2), Adds, print, object()])
def test_other_callables_stay_as_they_are(function: Any) -> None:
    assert not is_async(function)
    assert plain(function) is function


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), GeneratorExit()]
)
def test_what_a_function_raises_comes_out(loop: EventLoop, error: BaseException) -> None:
    async def fails() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        plain(fails)()
    assert caught.value is error
    assert plain(adds)(1) == 2  # the loop goes on


def test_all_calls_share_one_loop(loop: EventLoop) -> None:
    async def running() -> object:
        return asyncio.get_running_loop()

    assert plain(running)() is plain(running)() is loop.get()


def test_what_is_left_on_the_loop_is_cancelled_at_its_end(loop: EventLoop) -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            ended.append("closed")

    kept = []

    async def leaves() -> None:
        kept.append(asyncio.get_running_loop().create_task(forever()))
        kept.append(numbers())
        await anext(kept[1])
        await asyncio.sleep(0)

    plain(leaves)()
    assert ended == []
    made = loop.get()
    loop.close()
    assert ended == ["cancelled", "closed"]
    assert made.is_closed()
    loop.close()  # there is none any more
