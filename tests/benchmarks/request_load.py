"""Load of single requests: callers who each send the next one when they have the result of the last."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

Call = Callable[[Any], Awaitable[Any]]
BlockingCall = Callable[[Any], Any]
HOST_CPU = "Host CPU is that of the process that sends, all its threads, with the callers; workers do not count."


class WrongResult(Exception):
    """A request was answered with something else than its result."""


@dataclass(frozen=True, slots=True)
class Load:
    """What callers saw.

    Args:
        rate: requests a second.
        half: milliseconds that half of them kept within.
        most: milliseconds that 99 of a hundred kept within.
        cpu: microseconds of the host's processors a request.
    """

    rate: float
    half: float
    most: float
    cpu: float

    @classmethod
    def of(cls, times: Sequence[float], seconds: float, cpu: float) -> Load:
        """Of the seconds of each request, elapsed time and processor time."""
        ordered = sorted(times)
        count = len(ordered)
        return cls(
            count / seconds,
            1e3 * share_within(ordered, 0.5),
            1e3 * share_within(ordered, 0.99),
            1e6 * cpu / count,
        )


def share_within(ordered: Sequence[float], share: float) -> float:
    """What that share of them keeps within; the shortest first."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def from_tasks(call: Call, tasks: int, seconds: float) -> Load:
    """Have so many tasks send for so long. Each sends at least one request; all of them count."""
    times: list[float] = []

    async def caller(number: int) -> None:
        while True:
            begin = time.perf_counter()
            result = await call(number)
            end = time.perf_counter()
            times.append(end - begin)
            if result != number:
                raise WrongResult(f"{result!r} for {number}")
            if end >= until:
                return

    cpu, begin = time.process_time(), time.perf_counter()
    until = begin + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(caller(number))
    return Load.of(times, time.perf_counter() - begin, time.process_time() - cpu)


def from_threads(call: BlockingCall, threads: int, seconds: float) -> Load:
    """Have so many threads send for so long."""
    times: list[float] = []
    failed: list[BaseException] = []

    def caller(number: int) -> None:
        ready.wait()
        try:
            while True:
                begin = time.perf_counter()
                result = call(number)
                end = time.perf_counter()
                times.append(end - begin)
                if result != number:
                    raise WrongResult(f"{result!r} for {number}")
                if end >= until:
                    return
        except BaseException as error:
            failed.append(error)

    ready = threading.Barrier(threads + 1)
    callers = [threading.Thread(target=caller, args=(number,)) for number in range(threads)]
    for thread in callers:
        thread.start()
    cpu, begin = time.process_time(), time.perf_counter()
    until = begin + seconds
    ready.wait()
    for thread in callers:
        thread.join()
    if failed:
        raise failed[0]
    return Load.of(times, time.perf_counter() - begin, time.process_time() - cpu)
