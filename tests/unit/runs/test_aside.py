"""Blocking calls aside from an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from slither_actors.run_in_thread import run_in_thread


def test_it_returns_what_call_returns_and_raises_what_it_raises() -> None:
    async def main() -> None:
        assert await run_in_thread(lambda: threading.current_thread().name, "run_in_thread") == "run_in_thread"
        for error in (LookupError("no"), SystemExit(3)):
            for to_the_end in (True, False):
                with pytest.raises(type(error)):
                    await run_in_thread(lambda error=error: throw(error), "run_in_thread", to_the_end=to_the_end)

    asyncio.run(main())


def throw(error: BaseException) -> None:
    raise error


def test_a_cancellation_leaves_call_alone_or_waits_for_its_end() -> None:
    async def main() -> None:
        for to_the_end in (False, True):
            began, go_on, done = threading.Event(), threading.Event(), threading.Event()

            def call(
                began: threading.Event = began, go_on: threading.Event = go_on, done: threading.Event = done
            ) -> None:
                began.set()
                go_on.wait(20)
                done.set()
                raise LookupError("heard by nobody")

            task = asyncio.create_task(run_in_thread(call, "run_in_thread", to_the_end=to_the_end))
            await asyncio.to_thread(began.wait, 20)
            task.cancel()
            if to_the_end:
                await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.sleep(0.01)
                assert not task.done()
                go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert done.is_set() is to_the_end
            go_on.set()

    asyncio.run(main())


@pytest.mark.parametrize("error", [GeneratorExit, KeyboardInterrupt, LookupError])
def test_what_interrupts_the_wait_comes_out_as_itself(error: type[BaseException]) -> None:
    go_on, done = threading.Event(), threading.Event()

    def call() -> None:
        go_on.wait(20)
        done.set()

    async def main() -> None:
        coroutine = run_in_thread(call, "aside", to_the_end=True)
        coroutine.send(None)
        with pytest.raises(error):
            coroutine.throw(error())
        go_on.set()
        assert await asyncio.to_thread(done.wait, 20)

    asyncio.run(main())


def test_without_a_loop_only_what_must_be_done_is_done() -> None:
    done = []
    with pytest.raises(StopIteration):
        run_in_thread(lambda: done.append(1), "aside", to_the_end=True).send(None)
    with pytest.raises(RuntimeError, match="no running event loop"):
        run_in_thread(lambda: done.append(2), "aside").send(None)
    assert done == [1]


def test_a_loop_that_is_closed_meanwhile_is_no_error() -> None:
    go_on = threading.Event()
    loop = asyncio.new_event_loop()
    coroutine = run_in_thread(lambda: go_on.wait(20), "run_in_thread")

    async def start() -> None:
        coroutine.send(None)

    loop.run_until_complete(start())
    loop.close()
    go_on.set()
    coroutine.close()
