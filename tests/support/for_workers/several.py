"""Functions that are executed several at a time: they wait until so many are inside, and say how many there were."""

# ruff: noqa: ASYNC110, ASYNC230, ASYNC240, ASYNC251

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter

from slither_actors.worker import Adapter, command, progress, session

_lock = threading.Lock()
_inside = Counter()
_most = Counter()


def _enter(name):
    with _lock:
        _inside[name] += 1
        _most[name] = max(_most[name], _inside[name])


def _leave(name):
    with _lock:
        _inside[name] -= 1


async def meet(names):
    """Wait until as many as the name says ("a 3") have been inside at once; how many that were at the most."""
    name = names[0]
    _enter(name)
    try:
        while _most[name] < int(name.split()[1]):
            await asyncio.sleep(0.001)
        return [_most[name]] * len(names)
    finally:
        _leave(name)


def meet_on_threads(names):
    name = names[0]
    _enter(name)
    try:
        while _most[name] < int(name.split()[1]):
            time.sleep(0.001)
        return [_most[name]] * len(names)
    finally:
        _leave(name)


async def one(number):
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError("negative")
    return number


def one_on_threads(number):
    return number


async def loops(payloads):
    return [id(asyncio.get_running_loop())] * len(payloads)


def threads(payloads):
    return [threading.current_thread() is threading.main_thread()] * len(payloads)


async def remember(payloads):
    """The session's payloads so far, while two calls are executed."""
    seen = session().setdefault("seen", [])
    await meet(["x 2"])
    seen += payloads
    return [list(seen)] * len(payloads)


class Meeting(Adapter):
    async def init(self, start=0):
        await asyncio.sleep(0)
        self.start = start

    @command
    async def awaited(self, batch):
        before = self.session_id
        await meet(["x 2"])
        assert self.session_id == before
        return {"items": [(self.start, self.session_id)] * len(batch["items"])}

    @command
    def plain(self, batch):
        meet_on_threads(["x 2"])
        return {"items": [(self.start, self.session_id)] * len(batch["items"])}

    @command
    async def wrong(self, batch):
        return {"item": 1}

    async def terminate(self):
        await asyncio.sleep(0)
        os.write(2, b"terminated in order\n")


# --- harm; a gate is a file


async def waits(gates):
    """Say that the gate was reached, and wait until it is open."""
    for gate in gates:
        with open(gate + ".begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not os.path.exists(gate):
            await asyncio.sleep(0.002)
    return gates


def waits_on_threads(gates):
    for gate in gates:
        with open(gate + ".begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not os.path.exists(gate):
            time.sleep(0.002)
    return gates


async def exit_among(pairs):
    """A number and a number of batches: number 0 ends the worker once so many are inside, who wait for that."""
    ((number, count),) = pairs
    _enter("exit")
    while _inside["exit"] < count:
        await asyncio.sleep(0.001)
    if number == 0:
        os._exit(3)
    await asyncio.Event().wait()


async def exit_once_among(pairs):
    """The same for pairs with a number of batches; the others return at once."""
    if pairs[0][1]:
        await exit_among(pairs)
    return pairs


async def poisons(payloads):
    await asyncio.sleep(0)
    if "poison" in payloads:
        os._exit(4)
    return payloads


async def hang_among(calls):
    """Of two in execution at a time one hangs where the file is not there yet, which it makes."""
    ((number, path),) = calls
    if number == 0 and not os.path.exists(path):
        await asyncio.sleep(0)
        with open(path, "w"):
            pass
        await asyncio.Event().wait()
    while not os.path.exists(path):
        await asyncio.sleep(0.001)
    return [number]


def exits_by_system_exit(payloads):
    raise SystemExit(7)


async def exits_awaited(payloads):
    raise SystemExit(7)


async def block(once):
    """Hold up the loop where a file is not there yet, which is made."""
    for path in once:
        if path and not os.path.exists(path):
            with open(path, "w"):
                pass
            time.sleep(1000)
    return once


def poison(payload):
    if payload == "poison":
        os._exit(4)
    return payload


async def steps(payloads):
    """Say at which item it is, and end the worker at "poison"."""
    for index, payload in enumerate(payloads):
        progress(index)
        await asyncio.sleep(0)
        if payload == "poison":
            os._exit(4)
    return payloads


# --- more of what a worker may be given


async def wait_for(gate):
    await waits([gate])
    return gate


def wait_for_on_threads(gate):
    waits_on_threads([gate])
    return gate


async def nothing(payloads):
    pass


async def unsendable(payloads):
    return [object()]


async def seen(payloads):
    return [session()]


def forks(payload):
    """Fork; the child comes back as well."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return payload


async def forks_awaited(payload):
    return forks(payload)


def closes(payloads):
    os.closerange(3, 4096)
    return payloads


async def sessions_seen(payloads):
    """The session of a call as a task of it and a thread of it see it."""
    session()["name"] = payloads[0]
    await meet(["sessions 2"])
    in_thread = await asyncio.to_thread(lambda: session()["name"])
    in_task = await asyncio.create_task(_name_of_session())
    return [(in_thread, in_task)] * len(payloads)


async def _name_of_session():
    return session()["name"]


async def large(numbers):
    await asyncio.sleep(0)
    return [bytes([number % 256]) * 100_000 for number in numbers]


def large_on_threads(numbers):
    return [bytes([number % 256]) * 100_000 for number in numbers]
