"""The way from an executor to the workers of a pool."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from typing import Any

from slither_actors.errors import SystemStopped
from slither_actors.futures.requests import Request
from slither_actors.item import Item
from slither_actors.system.system import System
from supervisors.runtime.interrupts import Thread


class ThreadLane:
    """Threads that each wait for a call; until requests have a way in that needs none."""

    def __init__(self, system: System, pool: str | None, timeout: float | None) -> None:
        self._system = system
        self._options: dict[str, Any] = {} if pool is None else {"pool": pool}
        self._options["timeout"] = timeout
        system.dispatch.stream([], module="slither_actors.worker.calls", function="call", **self._options).close()
        size = len(system.statistics().pools[pool or "default"].executors)
        self._queue: queue.SimpleQueue[tuple[Future[list[Item]], list[Request]] | None] = queue.SimpleQueue()
        self._threads = [Thread(self._run, "slither-executor-call") for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def submit(self, batch: list[Request], /) -> Future[list[Item]]:
        """Send a batch; never blocks."""
        if self._system.stopped:
            raise SystemStopped("system was stopped")
        future: Future[list[Item]] = Future()
        self._queue.put((future, batch))
        return future

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            future, batch = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(
                    self._system.dispatch.call_batch(
                        batch,
                        module="slither_actors.worker.calls",
                        function="call",
                        each=True,
                        on_error="halt",
                        **self._options,
                    )
                )
            except BaseException as error:
                future.set_exception(error)
            del entry, future, batch
        self._queue.put(None)

    def end(self) -> None:
        """Have the threads end."""
        self._queue.put(None)

    def close(self) -> None:
        """End the threads."""
        self.end()
        for thread in self._threads:
            thread.join()


def lane_to(system: System, pool: str | None, timeout: float | None) -> ThreadLane:
    """Return the lane to a pool."""
    return ThreadLane(system, pool, timeout)
