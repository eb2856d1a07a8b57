"""The inbox of a consumer in an event loop: nothing is lost, and no consumer is woken twice."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from typing import Any

import pytest

from slither_actors.runs.output.asyncio_inbox import AsyncioInbox


def inbox_here(lost: Any = lambda: None) -> AsyncioInbox[Any]:
    return AsyncioInbox(asyncio.get_running_loop(), lost)


def test_messages_come_in_the_order_in_which_they_were_put() -> None:
    async def main() -> list[int]:
        inbox = inbox_here()
        assert inbox.empty()
        for number in range(3):
            inbox.put(number)
        assert not inbox.empty()
        return [await inbox.get() for _ in range(3)]

    assert asyncio.run(main()) == [0, 1, 2]


def test_nothing_is_lost_between_threads() -> None:
    async def main() -> list[int]:
        inbox = inbox_here()
        threads = [threading.Thread(target=lambda n=n: [inbox.put(n) for _ in range(2000)]) for n in range(4)]
        for thread in threads:
            thread.start()
        got = [await asyncio.wait_for(inbox.get(), 20) for _ in range(8000)]
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert inbox.empty()
        return got

    got = asyncio.run(main())
    assert sorted(got) == [n for n in range(4) for _ in range(2000)]


def test_one_wait_wakes_the_loop_once_and_no_wait_never() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        wakes = 0

        def counted(callback: Any, *arguments: Any) -> None:
            nonlocal wakes
            wakes += 1
            loop.call_soon(callback, *arguments)

        class Loop:
            is_closed = staticmethod(lambda: False)
            create_future = loop.create_future
            call_soon_threadsafe = staticmethod(counted)

        inbox: AsyncioInbox[Any] = AsyncioInbox(Loop(), lambda: None)  # type: ignore[arg-type]
        inbox.put(0)
        assert wakes == 0
        assert await inbox.get() == 0
        waiting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        for number in range(5):
            inbox.put(number)
        assert await waiting == 0
        assert [await inbox.get() for _ in range(4)] == [1, 2, 3, 4]
        return wakes

    assert asyncio.run(main()) == 1


def test_a_deadline_ends_the_wait_with_nothing() -> None:
    async def main() -> None:
        inbox = inbox_here()
        assert await inbox.get(monotonic() + 0.02) is None
        assert await inbox.get(monotonic() - 1) is None
        inbox.put("there")
        assert await inbox.get(monotonic() - 1) == "there"

    asyncio.run(main())


def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        inbox = inbox_here()
        waiting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.put("kept")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await inbox.get() == "kept"

    asyncio.run(main())


@pytest.mark.parametrize("waiting", [True, False])
def test_who_finds_loop_closed_says_so_once_and_does_not_raise(waiting: bool) -> None:
    told: list[str] = []
    loop = asyncio.new_event_loop()
    inbox: AsyncioInbox[Any] = AsyncioInbox(loop, lambda: told.append("lost"))
    coroutine = inbox.get()
    if waiting:
        coroutine.send(None)
    loop.close()
    for number in range(3):
        inbox.put(number)
    assert told == ["lost"]
    coroutine.close()
