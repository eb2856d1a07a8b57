"""Functions and an adapter for workers that yield chunks; imported there by name. Runs on Python 3.9."""

from __future__ import annotations

import os
import signal
import time

from slither_actors.worker import Adapter, command, session


def count(n):
    yield from range(n)


def counts_from(request):
    first, n = request
    yield from range(first, first + n)


def pids(n):
    for _ in range(n):
        yield os.getpid()


def noted(request):
    """Yield n numbers; write down a letter before each yield, and how it ended."""
    path, n = request
    how = "done"
    with open(path, "a") as file:
        try:
            for number in range(n):
                file.write("y")
                file.flush()
                yield number
        except GeneratorExit:
            how = "closed"
            raise
        finally:
            file.write(how)


def blocks(request):
    """Yield blocks of so many bytes."""
    size, n = request
    for number in range(n):
        yield bytes([number % 256]) * size


def arrays(n):
    import numpy as np

    for number in range(n):
        yield np.full(100_000, number)


def fails_after(n):
    yield from range(n)
    raise ValueError(f"after {n}")


def unsendable_after(request):
    """Yield n numbers and then an object; note the end."""
    path, n = request
    try:
        yield from range(n)
        yield object()
    finally:
        with open(path, "w") as file:
            file.write("closed")


def dies_after(n):
    yield from range(n)
    os.kill(os.getpid(), signal.SIGKILL)


def dies_once(request):
    """The first call dies before its first chunk; the next ones yield n numbers."""
    path, n = request
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    yield from range(n)


def fails_once(request):
    path, n = request
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        raise ValueError("at first")
    yield from range(n)


def hangs_after(n):
    yield from range(n)
    while True:
        time.sleep(60)


def naps(request):
    """Yield n numbers, each after so many seconds."""
    seconds, n = request
    for number in range(n):
        time.sleep(seconds)
        yield number


def through_gates(gates):
    """Yield a number for each gate, once it is open."""
    for number, gate in enumerate(gates):
        with open(gate + ".begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not os.path.exists(gate):
            time.sleep(0.002)
        yield number


def swallows(n):
    """Yield on whatever happens at the yield."""
    number = 0
    while True:
        try:
            yield number
        except GeneratorExit:
            pass
        number += 1


def hangs_at_the_end(n):
    """Yield numbers without end; its finally block never ends."""
    try:
        yield from range(10**9)
    finally:
        while True:
            time.sleep(60)


def fails_at_the_end(n):
    """Yield numbers without end; its finally block raises."""
    try:
        yield from range(10**9)
    finally:
        raise ValueError("in finally")


def listed(n):
    return list(range(n))


def mapped(n):
    return map(abs, range(n))


def stored(n):
    """Yield how often the session was streamed."""
    store = session()
    for _ in range(n):
        store["n"] = store.get("n", 0) + 1
        yield store["n"]


async def awaited(n):
    import asyncio

    for number in range(n):
        await asyncio.sleep(0)
        yield number


async def awaited_end(path):
    import asyncio

    try:
        number = 0
        while True:
            await asyncio.sleep(0)
            yield number
            number += 1
    finally:
        await asyncio.sleep(0)
        _write(path, "closed")


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def double(payloads):
    """As a function of whole batches: what it yields are the results of the items."""
    for payload in payloads:
        yield 2 * payload


class Speaker(Adapter):
    def init(self, factor=1):
        self.factor = factor

    @command
    def speak(self, request):
        (payload,) = request["items"]
        for number in range(payload):
            yield number * self.factor
