"""The clients of the soak that live in an event loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

from slither_actors import DispatchError, Item, Retry, System, WorkerError
from support.soak.books import Books, Wrong, check, of_a_load
from support.soak.clients import HARM, RETRY, TIMEOUT, payloads_of

OPTIONS: dict[str, Any] = {"module": "mixed", "function": "all_at_once", "batch_size": 8, "timeout": TIMEOUT}


async def drawn(payloads: list[Any], rng: random.Random) -> AsyncIterator[Any]:
    """An asynchronous source, which waits now and then."""
    for payload in payloads:
        if rng.random() < 0.02:
            await asyncio.sleep(0.001)
        yield payload


class LoopClient:
    """One task's worth of runs; as `Client`."""

    def __init__(self, system: System, books: Books, seed: int) -> None:
        self.system = system
        self.books = books
        self.rng = random.Random(seed)

    async def work(self, over: Callable[[], bool]) -> None:
        """Run after run, until it is over."""
        kinds = [self.gathered, self.streamed, self.cancelled, self.closed]
        while not over():
            kind = self.rng.choice(kinds)
            try:
                await kind()
            except Wrong as wrong:
                self.books.note(f"asyncio, {kind.__name__}: {wrong}")
            except Exception as error:
                self.books.note(f"asyncio, {kind.__name__} raised {error!r}")
            self.books.add(runs=1)

    def source(self, payloads: list[Any]) -> Any:
        return self.rng.choice([lambda: payloads, lambda: iter(payloads), lambda: drawn(payloads, self.rng)])()

    async def gathered(self) -> None:
        payloads = payloads_of(self.rng, most=200)
        try:
            got = await self.system.dispatch.arun(self.source(payloads), **OPTIONS, on_error=Retry(30, **RETRY))
        except DispatchError as error:
            self.books.failed([], error, None)
            return
        check(got, payloads, ())
        self.books.finished([item.id for item in got], len(payloads), None)

    async def streamed(self) -> None:
        payloads = payloads_of(self.rng, ["fails"], most=200)
        stream = self.system.dispatch.astream(self.source(payloads), **OPTIONS, on_error="skip")
        got: list[Item] = []
        try:
            async for item in stream:
                got.append(item)  # noqa: PERF401 - what came before an error counts
        except DispatchError as error:
            self.books.failed([item.id for item in got], of_a_load(error), stream.statistics())
            return
        check(got, payloads, (*HARM, WorkerError))
        self.books.finished([item.id for item in got], len(payloads), stream.statistics())

    async def cancelled(self) -> None:
        """Its task has a timeout, which often comes first."""
        payloads = payloads_of(self.rng, most=400)
        try:
            async with asyncio.timeout(self.rng.random() * 0.2):
                got = await self.system.dispatch.arun(self.source(payloads), **OPTIONS, on_error="skip")
        except TimeoutError:
            self.books.add(cancelled=1)
            return
        except DispatchError as error:
            self.books.failed([], of_a_load(error), None)
            return
        check(got, payloads, HARM)
        self.books.finished([item.id for item in got], len(payloads), None)

    async def closed(self) -> None:
        payloads = payloads_of(self.rng, most=400)
        wanted = self.rng.randrange(len(payloads))
        got: list[Item] = []
        stream = self.system.dispatch.astream(self.source(payloads), **OPTIONS, on_error="skip")
        try:
            async with stream:
                async for item in stream:
                    got.append(item)
                    if len(got) > wanted:
                        break
        except DispatchError as error:
            self.books.failed([item.id for item in got], of_a_load(error), stream.statistics())
            return
        check(got, payloads, HARM)
        await asyncio.to_thread(self.books.closed, [item.id for item in got], stream.statistics)


def loop_of_clients(system: System, books: Books, seeds: list[int], over: Callable[[], bool]) -> None:
    """Several of them in one loop, in this thread."""

    async def main() -> None:
        await asyncio.gather(*(LoopClient(system, books, seed).work(over) for seed in seeds))

    asyncio.run(main())
