"""The whole way of a batch through the host in one thread, without workers: so that what it costs can be counted.

With threads and processes it depends on the machine how many replies come at a time, and with that every count. Here
the requests of a turn are answered in the next, and each count is the same each time.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from slither_actors import PoolSpec, System
from slither_actors.option_parsing import parse_options
from slither_actors.pools import supervision
from slither_actors.pools.hosts.base import Death, Spawned
from slither_actors.runs.output.driver_protocol import FOREVER
from slither_actors.wire import frames as wire
from slither_actors.wire.frames import HEADER, HEADER_SIZE, FrameParser
from slither_actors.wire.messages import Ready
from supervisors.runtime import scheduler as schedulers
from support.opcodes import Opcodes

WRITES, READS, MESSAGES, OPCODES = "writes", "reads", "messages", "opcodes"


class EchoHost:
    """A worker host whose worker gives every payload back, a turn after it was asked."""

    counts: ClassVar[Counter[str]] = Counter()
    """Writes and reads of all of them: what would be a system call each."""

    def __init__(self, executor: Any, sink: Any, *_: Any) -> None:
        self.pid: int | None = 1
        self._executor, self._sink = executor, sink
        self._out: list[Any] = []
        self._parser = FrameParser(accepts=wire.FROM_WORKER)

    def start(self) -> None:
        self._executor.actor_ref.tell(Spawned(self, 1))

    def send(self, parts: Sequence[Any]) -> None:
        self._out += parts

    def flush(self) -> None:
        if not self._out:
            return
        EchoHost.counts[WRITES] += 1
        data = b"".join(self._out)
        self._out.clear()
        replies, start = [], 0
        while start < len(data):
            _, _, kind, _, attempt, request, side, body, buffers, count, _, _ = HEADER.unpack_from(data, start)
            start += HEADER_SIZE + side
            if kind == wire.HELLO:
                ready = Ready(1, "3", "1", []).to_body()
                replies.append(_header(wire.READY, 0, 0, len(ready), 0) + ready)
            elif kind == wire.LOAD:
                replies.append(_header(wire.LOADED, 0, request, 0, 0))
            elif kind == wire.CALL:
                replies.append(_header(wire.REPLY, attempt, request, body, count) + data[start : start + body])
            elif kind == wire.STOP:
                self._executor.actor_ref.tell(Death(self, 0, None, ""))
            start += body + buffers
        if replies:
            self._executor.scheduler.post(self._read, b"".join(replies))

    def _read(self, data: bytes) -> None:
        EchoHost.counts[READS] += 1
        if frames := self._parser.feed(data):
            self._sink.on_frames(frames)

    def trim(self) -> bool:
        return False

    def read(self) -> None: ...

    def progress(self) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None:
        self._executor.actor_ref.tell(Death(self, None, 9, ""))

    def abandon(self) -> None: ...


def _header(kind: int, attempt: int, request: int, body: int, count: int) -> bytes:
    return HEADER.pack(wire.MAGIC, wire.VERSION, kind, 0, attempt, request, 0, body, 0, count, 0, 0)


@contextmanager
def taken_over(system: System) -> Iterator[Any]:
    """Its scheduler, whose turns this thread makes within the block."""
    scheduler = system._scheduler
    taken, done = threading.Event(), threading.Event()

    def stand_aside() -> None:
        taken.set()
        done.wait()

    scheduler.post(stand_aside)
    assert taken.wait(20)
    before = scheduler._ident, scheduler._clock
    scheduler._ident = threading.get_ident()
    now = scheduler.now()
    scheduler._clock = lambda: now  # it stands still: how long things take decides how many are sent ahead
    try:
        yield scheduler
    finally:
        scheduler._ident, scheduler._clock = before
        done.set()


class OneThread:
    """A System with two workers of that kind."""

    def __init__(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(supervision, "LocalHost", EchoHost)
        self.system = System({"default": PoolSpec(size=2)}, name="one-thread")

    def __enter__(self) -> Self:
        self.system.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.system.stop()

    def run(self, payloads: Sequence[Any], batch_size: int) -> tuple[list[Any], Counter[str]]:
        """The results, and what the run took from its first step to its last."""
        options = parse_options({"module": "m", "function": "f", "batch_size": batch_size})
        with taken_over(self.system) as scheduler:
            before, messages = EchoHost.counts.copy(), 0
            consumer = self.system.open_run(payloads, options)
            results: list[Any] = []
            with Opcodes() as opcodes:
                steps, inbox, answer = consumer.steps(), consumer.run.inbox, None
                while True:
                    try:
                        step = steps.send(answer)
                    except StopIteration:
                        break
                    answer = None
                    if type(step) is list:
                        results += step
                        consumer.run.ledger.emitted += len(step)
                    elif step is FOREVER:
                        with schedulers.activate(scheduler):
                            while inbox.empty():
                                messages += len(scheduler._ready)
                                scheduler._run_ready()
                        answer = inbox.get()
            counts = EchoHost.counts - before
            counts[MESSAGES], counts[OPCODES] = messages, opcodes.total
            self.by_function = opcodes.by_function
            with schedulers.activate(scheduler):
                while scheduler._ready:
                    scheduler._run_ready()
        return [item.payload for item in results], counts

    def requests(self, call: Callable[[int], Awaitable[Any]], tasks: int, each: int) -> tuple[list[Any], Counter[str]]:
        """What so many tasks of an event loop get that make so many calls each, one after the other; and what it took.

        The loop runs in this thread, and gives the scheduler a turn when it has gone once through its own.
        """
        results: list[Any] = []

        async def caller(first: int) -> None:
            results.extend([await call(number) for number in range(first, first + each)])

        async def main(scheduler: Any) -> Counter[str]:
            before, messages = EchoHost.counts.copy(), 0
            with Opcodes() as opcodes:
                running = asyncio.gather(*(caller(number * each) for number in range(tasks)))
                while not running.done():
                    await asyncio.sleep(0)
                    with schedulers.activate(scheduler):
                        messages += len(scheduler._ready)
                        scheduler._turn(False)
            await running
            counts = EchoHost.counts - before
            counts[MESSAGES], counts[OPCODES] = messages, opcodes.total
            self.by_function = opcodes.by_function
            return counts

        with taken_over(self.system) as scheduler:
            counts = asyncio.run(main(scheduler))
            with schedulers.activate(scheduler):
                while scheduler._ready:
                    scheduler._run_ready()
        return results, counts
