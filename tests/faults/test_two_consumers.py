"""Several threads, or tasks, on one stream: one at a time iterates, the others get an error, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, StreamClosed, System
from slither_actors.runs.output.asyncio_inbox import AsyncioInbox

NEG: dict[str, Any] = {"module": "operator", "function": "neg", "each": True, "batch_size": 2}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, name="two-consumers") as running:
        yield running


def lazy(number: int) -> Iterator[int]:
    yield from range(number)


@pytest.mark.parametrize("source", [lambda: list(range(100)), lambda: lazy(100)], ids=["in memory", "lazy"])
def test_one_thread_goes_on_where_another_stopped(system: System, source: Callable[[], Any]) -> None:
    stream = system.dispatch.stream(source(), **NEG)
    first = [next(stream).payload for _ in range(5)]
    for item in stream:
        first.append(item.payload)
        if len(first) == 10:
            break
    with ThreadPoolExecutor(1) as threads:
        rest = threads.submit(lambda: [item.payload for item in stream]).result(20)
    assert first + rest == [-n for n in range(100)]
    assert list(stream) == []
    with pytest.raises(StopIteration):
        next(stream)
    assert stream.statistics().emitted == 100


def test_threads_that_iterate_at_will_get_each_item_once(system: System) -> None:
    stream = system.dispatch.stream(range(2000), **NEG)
    got: list[int] = []

    def take() -> int:
        refused = 0
        while True:
            try:
                for item in stream:
                    got.append(item.payload)  # noqa: PERF401  # with those before an error
                return refused
            except RuntimeError as error:
                if "one at a time iterates" not in str(error):
                    raise
                refused += 1

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(take) for _ in range(4)]:
            done.result(60)
    assert sorted(got, reverse=True) == [-n for n in range(2000)]
    assert stream.statistics().emitted == 2000


def test_a_close_in_another_thread_ends_both(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    stream = system.dispatch.stream([(0, gates["shut"])], **GATED)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(list, stream)
        gates.wait_begun("shut")
        with pytest.raises(RuntimeError, match="one at a time iterates"):
            list(stream)
        stream.close()
        gates.open("shut")
        with pytest.raises(StreamClosed):
            waiting.result(20)
        with pytest.raises(StreamClosed):
            threads.submit(next, stream).result(20)
    with pytest.raises(StreamClosed):
        list(stream)


def test_the_thread_between_two_results_when_another_closes(system: System) -> None:
    stream = system.dispatch.stream(range(10), **NEG)
    got = 0
    with pytest.raises(StreamClosed), ThreadPoolExecutor(1) as threads:  # noqa: PT012
        for _ in stream:
            got += 1
            threads.submit(stream.close).result(20)
    assert got == 1


def test_two_tasks_on_one_asynchronous_stream(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)

    async def main() -> list[int]:
        stream = system.dispatch.astream([(0, gates["shut"]), 1, 2], **GATED)

        async def take() -> list[int]:
            return [item.payload async for item in stream]

        first = asyncio.create_task(take())
        while not gates.begun("shut"):  # noqa: ASYNC110
            await asyncio.sleep(0.002)  # in a worker, which has no other way to say so
        with pytest.raises(RuntimeError, match="another task is waiting"):
            await take()
        gates.open("shut")
        taken = await first
        assert await take() == []
        return taken

    assert asyncio.run(main()) == [0, 1, 2]


def test_a_loop_whose_pipe_is_closed_already_costs_no_signal() -> None:
    delivered: list[int] = []
    before = signal.signal(signal.SIGPIPE, lambda number, frame: delivered.append(number))
    reader, writer = socket.socketpair()
    try:
        reader.close()
        loop = asyncio.new_event_loop()
        inbox: AsyncioInbox[Any] = AsyncioInbox(loop, lambda: None)
        inbox._sleeping.append(loop.create_future())

        def send(*_: object) -> None:
            with pytest.raises(BrokenPipeError):
                writer.send(b"\0")

        loop.call_soon_threadsafe = send  # type: ignore[method-assign]
        inbox.put("message")
        loop.close()
        assert signal.SIGPIPE not in signal.sigpending()
        assert delivered == []
    finally:
        writer.close()
        signal.signal(signal.SIGPIPE, before)
