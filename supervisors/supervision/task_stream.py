"""A bounded number of tasks at a time, and their results: the loop of `Tasks.map`."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from supervisors.actors.futures import check_may_block
from supervisors.errors import CallTimeout
from supervisors.supervision.task_future import TaskFuture

__all__ = ["TaskStream"]

T = TypeVar("T")
R = TypeVar("R")


class TaskStream(Generic[T, R]):
    """The tasks of one `map`.

    Args:
        start: starts the task for an item.
        items: the items.
        limit: of tasks whose results have not been yielded.
        timeout: seconds for each task, or None.
    """

    def __init__(
        self, start: Callable[[T], TaskFuture[R]], items: Iterator[T], limit: int, timeout: float | None
    ) -> None:
        self._start = start
        self._items = enumerate(items)
        self._limit = limit
        self._timeout = timeout
        # The running ones with index and deadline, oldest first; and those that have ended, in the order of their ends.
        self._running: dict[TaskFuture[R], tuple[int, float]] = {}
        self._ended: queue.SimpleQueue[TaskFuture[R]] = queue.SimpleQueue()

    def results(self, *, ordered: bool, return_exceptions: bool) -> Iterator[R | Exception]:
        """Yield the results. Kills the tasks that are left if it is closed early."""
        waiting: dict[int, TaskFuture[R]] = {}  # have ended, but an earlier one has not
        following = 0
        try:
            while True:
                self._start_more(self._limit - len(waiting))
                if not self._running:
                    return
                index, ended = self._next_ended()
                waiting[index] = ended
                if not ordered:
                    following = index
                while following in waiting:
                    yield _result(waiting.pop(following), return_exceptions=return_exceptions)
                    following += 1
        finally:
            for future in self._running:
                future.cancel()

    def _start_more(self, limit: int) -> None:
        while len(self._running) < limit:
            try:
                index, item = next(self._items)
            except StopIteration:
                return
            future = self._start(item)
            self._running[future] = (index, time.monotonic() + (self._timeout or 0.0))
            future.when_set(self._ended.put)

    def _next_ended(self) -> tuple[int, TaskFuture[R]]:
        check_may_block("a result of map()")
        while True:
            wait = None
            if self._timeout is not None:
                _, deadline = next(iter(self._running.values()))
                wait = max(0.0, deadline - time.monotonic())
            try:
                future = self._ended.get(timeout=wait)
            except queue.Empty:
                future = next(iter(self._running))
                future.fail(CallTimeout(f"a task has not ended within {self._timeout} seconds"))
                future.cancel()
            else:
                index, _ = self._running.pop(future)
                return index, future


def _result(future: TaskFuture[Any], *, return_exceptions: bool) -> Any:
    try:
        return future.get()
    except Exception as exc:
        if not return_exceptions:
            raise
        return exc
