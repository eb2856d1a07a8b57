"""The scheduler: one thread, many light actors. Their mailboxes, timers and descriptors."""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from supervisors.actors.futures import check_timeout
from supervisors.actors.registry import Registry
from supervisors.errors import SchedulerStopped, WouldDeadlock
from supervisors.runtime import current
from supervisors.runtime.background_thread import BackgroundThread
from supervisors.runtime.interrupts import Event, Thread, block_sigpipe, locked
from supervisors.runtime.mailbox import FunctionTarget, MailboxTarget, special_types
from supervisors.runtime.poller import Poller
from supervisors.runtime.timers import Timer, TimerHeap, check_timer

__all__ = ["Scheduler", "Timer"]

_logger = logging.getLogger("supervisors")

# A turn goes on with messages that arrived during it up to this many, because each poll gives the interpreter lock
# away, and with a busy thread beside it takes up to a switch interval (5 ms) to get it back. Small enough that a
# storm of messages holds up timers and descriptors for about a millisecond only.
_MESSAGES_A_TURN = 256

_FAILED_TURNS = 100
"""Turns that may fail by themselves in the life of a scheduler."""

_AWAKE: list[bool] = []


@contextmanager
def activate(scheduler: Scheduler) -> Iterator[None]:
    """Within it, `scheduler` is this thread's `Scheduler.current()`."""
    before = current.thread.scheduler
    current.thread.scheduler = scheduler
    try:
        yield
    finally:
        current.thread.scheduler = before


class Scheduler:
    """One daemon thread on which light actors run, with their timers and descriptors.

    Runs in: its own thread. Owns: the mailbox of all its actors (one deque), strong references to them, a selector, a
    wake-up pipe and (unless one is given) a side thread. Code that blocks must never run here.

    Each turn: the messages that are ready, due timers, descriptors. What raises crashes the actor that it belongs to,
    never the loop.

    After os.fork nothing of it may be used in the child but `abandon_after_fork`.

    Its user may set `owner`, what it is a part of, for code that asks `working_for`; `on_event`, which is called with
    each event (see `emit`); and `on_end`, which is called once, when the last actor has ended and nothing runs here any
    more.

    Args:
        name: the thread's name.
        clock: seconds, monotonic.
        background: where log records and event handlers run; by default one of its own, closed by `stop`.
    """

    def __init__(
        self,
        name: str = "scheduler",
        *,
        clock: Callable[[], float] = time.monotonic,
        background: BackgroundThread | None = None,
    ) -> None:
        self.name = name
        self.pid = os.getpid()
        self.background = (
            background if background is not None else BackgroundThread(f"{name}-side", begin=self.claim_thread)
        )
        self.owner: Any = None
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.on_end: Callable[[], object] | None = None
        self.registry = Registry()
        """Names of the actors that run here, and of the children of its supervisors."""
        self._owns_background = background is None
        self._clock = clock
        self._ready: deque[tuple[Any, Any]] = deque()
        self._before_sleep: list[Callable[[], object]] = []
        # While the loop sleeps: a list of its own for each sleep, with one element until a wake-up was sent for it.
        # Senders write to the wake-up pipe before they clear the list. A sender that is interrupted between the two
        # costs one more write, not the wake-up; one that is late clears the list of a sleep that is over.
        self._asleep = _AWAKE
        self._stopping = False
        self._closed = False
        self._actors: dict[MailboxTarget, None] = {}
        self._timers = TimerHeap()
        self._poller = Poller()
        self._functions = FunctionTarget(self)
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._ident: int | None = None
        self._ended = Event()

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. Once only.

        Raises:
            SchedulerStopped: it has been stopped, or the interpreter is shutting down.
            RuntimeError: it runs already, or the system has no thread left.
        """
        if sys.is_finalizing():  # before the lock, which a frozen thread may hold
            raise SchedulerStopped(f"scheduler {self.name!r} cannot start: the interpreter is shutting down")
        locked(self._lock, self._start)

    def _start(self) -> None:
        if self._stopping or self._closed:
            raise SchedulerStopped(f"scheduler {self.name!r} has been stopped")
        if self._thread is not None:
            raise RuntimeError(f"scheduler {self.name!r} has been started already")
        # Known before it runs: an interrupted start leaves a thread that `stop` ends.
        thread = self._thread = Thread(self._run, self.name)
        try:
            thread.start()
        except RuntimeError:
            self._thread = None
            raise

    def stop(self, timeout: float = 5.0) -> bool:
        """End every actor that is left (exit reason Shutdown), answer what waits, end the thread, close descriptors.

        From any other thread; may be called again.

        Args:
            timeout: seconds to wait for the thread (and once more for the side thread).

        Returns:
            True if the thread has ended. False means that it is stuck inside a handler, and ends when that returns; or
            that the interpreter is shutting down and has frozen it: then nothing is done.

        Raises:
            TypeError, ValueError: `timeout` is no number of seconds; nothing is done then, too.
            WouldDeadlock: called on a scheduler's thread. Post something to another thread that calls it.
        """
        if Scheduler.current() is not None:
            raise WouldDeadlock("Scheduler.stop() on a scheduler's thread")
        check_timeout(timeout)
        if sys.is_finalizing():
            return self._ended.is_set()
        if os.getpid() != self.pid:
            self.abandon_after_fork()
            return True
        locked(self._lock, self._begin_stop)
        self._wake()
        ended = self._ended.wait(timeout)
        thread = self._thread
        if ended and thread is not None and thread.ident is not None:
            thread.join(timeout)
            ended = not thread.is_alive()
        if self._owns_background:
            self.background.close(timeout)
        return ended

    def _begin_stop(self) -> None:
        self._stopping = True
        # A thread that was interrupted in its start may be without one, or may not have come that far yet: it looks at
        # `_stopping` first of all, and two that finish here share what there is to do.
        if (self._thread is None or self._thread.ident is None) and not self._ended.is_set():
            self._finish()

    @property
    def running(self) -> bool:
        """True from `start` to `stop`: what is sent to its actors is handled."""
        return self._thread is not None and not self.stopped

    @property
    def stopped(self) -> bool:
        """True once it takes no more actors."""
        return self._closed or self._stopping

    @property
    def descriptors(self) -> int:
        """The number of its own open descriptors: those of its selector and wake-up pipe."""
        return 0 if self._closed else Poller.OWN

    def abandon_after_fork(self) -> None:
        """In a forked child: close the raw descriptors, no more. Everything else belongs to the parent."""
        self._stopping = self._closed = True
        self._lock = threading.RLock()  # the parent's may have been held at the fork
        self._actors.clear()
        self._ready.clear()
        self._poller.close_raw()
        self._ended.set()

    # -- from any thread -----------------------------------------------------------------------------------------

    def on_thread(self) -> bool:
        """Return whether the calling thread is this scheduler's own."""
        return get_ident() == self._ident

    def claim_thread(self) -> None:
        """Claim the calling thread for this scheduler until it ends: `owns_thread` is true on it."""
        current.thread.works_for = self
        current.carried.set(self)

    def owns_thread(self) -> bool:
        """Return whether to wait for the end of all that runs here would be to wait for oneself.

        That is on its own thread, on the side thread, and on those of actors that have one.
        """
        return self.on_thread() or self.background.on_thread() or current.thread.works_for is self

    @staticmethod
    def working_for() -> Scheduler | None:
        """Return the scheduler that the calling code works for, if any.

        That is the one whose own thread this is; or that has claimed this thread: its side thread, and those of its
        actors; or from whose threads the context was carried here (`asyncio.to_thread`, `contextvars.Context.run`).
        In a forked child the parent's schedulers do not count.
        """
        found = current.thread.works_for or current.thread.scheduler or current.carried.get()
        return found if isinstance(found, Scheduler) and found.pid == os.getpid() else None

    @staticmethod
    def current() -> Scheduler | None:
        """Return the scheduler that runs on the calling thread, if any."""
        found = current.thread.scheduler
        return found if isinstance(found, Scheduler) else None

    def now(self) -> float:
        """Return the clock's time in seconds."""
        return self._clock()

    def post(self, fn: Callable[..., object], *args: object) -> None:
        """Call ``fn(*args)`` on the scheduler thread. From any thread, never blocks.

        If fn is a bound method of a light actor, what it raises crashes that actor; and it is not called if that actor
        has ended. After stop it is dropped.
        """
        if self._closed:
            return
        try:
            self._ready.append((self._functions, (fn, args)))
            if self._asleep:
                self._wake()
        except BaseException:  # an interrupt: wake the scheduler, as the entry may be enqueued already
            self._wake()
            raise

    def _put(self, entry: tuple[Any, Any]) -> None:
        """Enqueue a message that must be answered, also after the end."""
        try:
            self._ready.append(entry)
            if self._asleep:
                self._wake()
        except BaseException:
            self._wake()
            raise
        finally:
            if self._closed:
                self._drain()  # a race with the scheduler's last drain: the entry may have been enqueued after it

    # -- on the scheduler thread ---------------------------------------------------------------------------------

    def call_later(
        self, delay: float, fn: Callable[..., object], *args: object, owner: MailboxTarget | None = None
    ) -> Timer:
        """Call ``fn(*args)`` after `delay` seconds (at once, in the next turn, if not positive).

        Scheduler thread only. An exception crashes `owner`; the timer is cancelled when `owner` ends.

        Raises:
            TypeError, ValueError: the delay is no number, or `fn` cannot be called.
        """
        self._check_thread()
        seconds = check_timer(delay, fn)
        return self._timers.add(self._clock() + seconds, fn, args, owner)

    def before_sleep(self, fn: Callable[[], object]) -> None:
        """Call ``fn()`` once, when the messages and timers that are due now have been handled.

        Scheduler thread only. For what is better done once after a burst than after each message of it, such as to wake
        another thread. An exception is logged.
        """
        self._before_sleep.append(fn)

    def add_reader(self, fd: int, fn: Callable[[], object], owner: MailboxTarget | None = None) -> None:
        """Call ``fn()`` whenever fd can be read (or has hung up), until removed. Replaces the reader before it."""
        self._check_thread()
        self._poller.add(fd, 0, fn, owner)

    def add_writer(self, fd: int, fn: Callable[[], object], owner: MailboxTarget | None = None) -> None:
        """Call ``fn()`` whenever fd can be written (or is broken), until removed. Replaces the writer before it."""
        self._check_thread()
        self._poller.add(fd, 1, fn, owner)

    def remove_reader(self, fd: int) -> bool:
        """Remove fd's reader. To be done before fd is closed. True if there was one."""
        self._check_thread()
        return self._poller.remove(fd, 0)

    def remove_writer(self, fd: int) -> bool:
        """Remove fd's writer. To be done before fd is closed. True if there was one."""
        self._check_thread()
        return self._poller.remove(fd, 1)

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """Pass an event to `on_event`, if it is set; an exception of that is logged."""
        handler = self.on_event
        if handler is not None:
            try:
                handler(name, data)
            except BaseException as exc:
                self.log_exception("on_event", exc)

    def log_exception(self, what: str, exception: BaseException) -> None:
        """Log, on the side thread, that `what` raised."""
        self.background.submit(_log_exception, what, self.name, exception)

    def run_guarded(self, owner: MailboxTarget | None, fn: Callable[..., object], *args: object) -> None:
        """Call ``fn(*args)``; an exception crashes `owner`, or is logged if there is none."""
        try:
            fn(*args)
        except BaseException as exc:
            if owner is not None:
                owner._crashed(exc)
            else:
                self.log_exception(repr(fn), exc)

    # -- the loop ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._ident = get_ident()
        self.claim_thread()
        block_sigpipe()
        with activate(self):
            try:
                turn = self._turn
                failures = 0
                while not self._stopping:
                    try:
                        while not self._stopping:
                            turn(True)
                    except Exception as exc:
                        # What actors, timers and readers raise is theirs; this is of the loop itself: out of memory,
                        # say. All that runs here would end with it. But where it does not pass it must.
                        failures += 1
                        if failures > _FAILED_TURNS or (isinstance(exc, OSError) and exc.errno == errno.EBADF):
                            raise  # EBADF: other code has closed our selector, which does not pass
                        self.log_exception("a turn", exc)
            finally:
                self._finish()
                self._ident = None  # the next thread may get the same one

    def _turn(self, block: bool) -> bool:
        """One turn. Returns True if anything was done."""
        busy = False
        ready = self._ready
        if ready:
            busy = True
            self._run_ready()
        timers = self._timers
        if timers.heap and timers.heap[0][0] <= self._clock():
            busy = True
            self._run_timers()
        if self._before_sleep:
            late, self._before_sleep = self._before_sleep, []
            for fn in late:
                self.run_guarded(None, fn)
        poller = self._poller
        if ready or not block:
            timeout: float | None = 0.0
            if not poller.count:
                return busy
        else:
            deadline = timers.next_deadline()
            timeout = None if deadline is None else max(0.0, deadline - self._clock())
            # The flag goes up before the last look at the deque, and senders look at it after their append: so
            # either this look sees the message or the sender sees the flag. Both are atomic under CPython's lock.
            self._asleep = [True]
            if ready or self._stopping:
                timeout = 0.0
        try:
            events = poller.poll(timeout)
        finally:
            self._asleep = _AWAKE
        if events:
            busy = True
            for slots, mask in events:
                for direction in (0, 1):
                    if mask & (1 << direction):
                        slot = slots[direction]  # looked up now: an earlier callback may have removed it
                        if slot is not None:
                            self.run_guarded(slot[1], slot[0])
        return busy

    def _run_ready(self) -> None:
        # In a function of its own, so that the last message is not kept alive by a local while the loop sleeps.
        ready = self._ready
        popleft = ready.popleft
        special = special_types
        done = 0
        count = len(ready)
        while count:
            done += count
            for _ in range(count):
                actor, message = popleft()
                try:
                    if type(message) in special:
                        actor._special(message)
                    elif actor._alive:
                        actor.on_receive(message)
                except BaseException as exc:
                    actor._crashed(exc)
            if done >= _MESSAGES_A_TURN or self._stopping:
                return
            count = len(ready)

    def _run_timers(self) -> None:
        now = self._clock()
        for timer in self._timers.pop_due(now):
            fn = timer.take()
            if fn is not None:  # not cancelled meanwhile by one that was due before it
                self.run_guarded(timer.owner, fn, *timer.args)

    def _finish(self) -> None:
        """End all actors and drain the mailbox. On the scheduler thread, or on any thread if there is none."""
        self._closed = True
        # From here on `start` and `ask` in other threads clean up behind themselves: whatever they added before
        # they saw the flag is found here or by them, and taking it (popitem, popleft) is atomic.
        while self._actors:
            try:
                actor, _ = self._actors.popitem()
            except KeyError:
                break
            self.run_guarded(None, actor._dissolve)
        self._drain()
        for fn in self._before_sleep:
            self.run_guarded(None, fn)
        if self.on_end is not None:
            self.run_guarded(None, self.on_end)
        self._poller.close()
        self._ended.set()

    def _drain(self) -> None:
        """Drain the mailbox after the end: answer asks with ActorDeadError, call watchers, drop the rest."""
        ready = self._ready
        while ready:
            try:
                actor, message = ready.popleft()
            except IndexError:
                return
            if type(message) in special_types:
                self.run_guarded(None, actor._refuse, message)

    def _wake(self) -> None:
        sleep = self._asleep
        self._poller.wake()
        sleep.clear()

    def _check_thread(self) -> None:
        if get_ident() != self._ident:
            raise RuntimeError(f"only on the thread of scheduler {self.name!r}; use post() from other threads")


def _log_exception(what: str, scheduler: str, exception: BaseException) -> None:
    _logger.error("%s raised on scheduler %r", what, scheduler, exc_info=exception)
