"""The background thread: runs log records and event handlers, so that none of them delays a scheduler."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from sys import is_finalizing
from typing import Any

from supervisors.runtime.interrupts import Event, Thread, locked

__all__ = ["BackgroundThread"]

_logger = logging.getLogger("supervisors")

_Job = tuple[Callable[..., object], tuple[Any, ...]]


class BackgroundThread:
    """One daemon thread with a bounded queue of small jobs.

    Runs in: its own thread, started with the first job. Owns: the queue. If a job raises, that is logged and the next
    one runs. What does not fit in the queue is dropped and counted, because a slow log handler must cost log
    records, never time or memory.

    Args:
        name: the thread's name.
        maxsize: how many jobs may wait.
        begin: called once, first of all, on the thread.
    """

    def __init__(self, name: str = "side", maxsize: int = 10_000, begin: Callable[[], object] | None = None) -> None:
        if maxsize < 1:
            raise ValueError(f"maxsize must be at least 1, not {maxsize!r}")
        self.name = name
        self.maxsize = maxsize
        self._begin = begin
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Reentrant, because submit may be called by a finalizer that the garbage collector runs inside submit.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._abandoned = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """The number of jobs refused so far, because the queue was full or closed."""
        return self._dropped

    def submit(self, fn: Callable[..., object], *args: object) -> bool:
        """Queue ``fn(*args)``. Never blocks, never raises.

        Returns:
            False if it was dropped (counted in `dropped`): the queue is full, or closed, or there is no thread.
        """
        if self._closed or self._queue.qsize() >= self.maxsize or (self._thread is None and not self._start()):
            self.refuse()
            return False
        self._queue.put((fn, args))
        return True

    def refuse(self) -> None:
        """Count a job as dropped that was not submitted because the backlog of its kind is full."""
        locked(self._lock, self._count_dropped)

    def _count_dropped(self) -> None:
        self._dropped += 1

    def on_thread(self) -> bool:
        """Return whether this is the side thread: inside a handler."""
        return self._thread is threading.current_thread()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was queued before this call has run. For tests, and for the end of a program.

        Args:
            timeout: seconds.

        Returns:
            True if it has run.
        """
        thread = self._thread
        if thread is None:
            return True
        if thread is threading.current_thread():
            return False
        done = Event()
        self._queue.put((done.set, ()))
        deadline = time.monotonic() + timeout
        while not done.wait(max(0.0, min(0.1, deadline - time.monotonic()))):
            if not thread.is_alive() or is_finalizing():  # which has frozen it
                return done.is_set()
            if time.monotonic() >= deadline:
                return False
        return True

    def close(self, timeout: float = 2.0) -> bool:
        """Refuse new jobs, run those that wait, end the thread. May be called again.

        Args:
            timeout: seconds. After that the jobs in the backlog are dropped.

        Returns:
            True if the thread has ended.
        """
        thread = locked(self._lock, self._begin_close)
        if thread is None:
            return True
        self._queue.put(None)  # at each call: an earlier one may have been interrupted before this line
        if thread is threading.current_thread() or is_finalizing():
            return False
        thread.join(timeout)
        if thread.is_alive():
            self._abandoned = True
            return False
        return True

    def _begin_close(self) -> threading.Thread | None:
        self._closed = True
        thread = self._thread
        return thread if thread is not None and thread.ident is not None else None

    def _start(self) -> bool:
        return locked(self._lock, self._start_once)

    def _start_once(self) -> bool:
        if self._thread is not None:
            return True
        # Before start(), so that a finalizer's submit within start() does not make a second thread.
        thread = self._thread = Thread(self._run, self.name)
        try:
            thread.start()
        except RuntimeError:  # out of threads, or the interpreter is going down
            self._thread = None
            return False
        return True

    def _run(self) -> None:
        if self._begin is not None:
            self._begin()
        get = self._queue.get
        while not self._abandoned:
            job = get()
            if job is None:
                return
            try:
                job[0](*job[1])
            except BaseException as exc:
                _log_failure(job[0], exc)
            del job  # keep no job alive while waiting for the next one


def _log_failure(fn: Callable[..., object], exception: BaseException) -> None:
    try:
        _logger.error("A job on the side thread raised: %r", fn, exc_info=exception)
    except BaseException:  # the handler or the repr is broken, so the failure cannot be logged
        return
