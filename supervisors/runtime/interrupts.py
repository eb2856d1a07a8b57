"""Primitives that stay consistent when a signal handler raises inside them, at any bytecode.

Python runs signal handlers on the main thread, between any two bytecodes of what runs there, and what a handler raises
(KeyboardInterrupt, a soft time limit) continues from that place. Two kinds of code do not survive that: whatever is
done in two steps of which the second is then missing, and `threading.Event` and `Condition`, whose lock stays held if
the interrupt comes between its acquisition and the ``with`` block (https://github.com/python/cpython/issues/74174);
the thread that notifies would then block for good.

All of this is made for one interrupt at a time. A second one within the microseconds in which the first is handled may
find a gap.
"""

from __future__ import annotations

import signal
import sys
import threading
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, TypeVar

__all__ = [
    "Event",
    "Thread",
    "block_sigpipe",
    "inherits_mask",
    "locked",
    "raised_by_handler",
    "sigpipe_blocked",
    "with_cleanup",
]

R = TypeVar("R")


class Event:
    """An event without a lock: an interrupted waiter leaves nothing held, and `set` never blocks.

    `set` writes the flag before it looks at the waiters, a waiter is added before it looks at the flag: one of the two
    sees the other.
    """

    __slots__ = ("_flag", "_waiters")

    def __init__(self) -> None:
        self._flag = False
        self._waiters: list[Any] = []

    def is_set(self) -> bool:
        """Return whether it has been set. It is never cleared."""
        return self._flag

    def set(self) -> None:
        """Set it and wake all that wait. From any thread; may be repeated."""
        self._flag = True
        for waiter in list(self._waiters):
            try:
                waiter.release()
            except RuntimeError:  # another thread has set it, too
                pass

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set.

        Args:
            timeout: seconds; None for no bound.

        Returns:
            False if it was not set in time.
        """
        if self._flag:
            return True
        waiter = allocate_lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            if not self._flag:
                waiter.acquire(True, -1.0 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX))
        finally:
            try:
                self._waiters.remove(waiter)
            except ValueError:  # a fork's child has none
                pass
        return self._flag

    def _at_fork_reinit(self) -> None:
        """Reset after a fork, as `threading.Event` does: `Thread` uses this class in its place."""
        self._waiters.clear()


# pthread_sigmask is a matter of each thread, and a new thread inherits the mask of the one that makes it.
_mask = threading.local()


def block_sigpipe() -> None:
    """Have writes to broken pipes fail with EPIPE in this thread, whatever the process does about SIGPIPE.

    A program in front of ``| head`` gives SIGPIPE its default back and would die, without a word, of the death of a
    worker. For threads that run code of ours only: users' code is to find the signal as the program has it, and what it
    starts inherits the mask. What is pending then ends with the thread.
    """
    _mask.blocked = signal.SIGPIPE not in signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})


@contextmanager
def sigpipe_blocked() -> Iterator[None]:
    """`block_sigpipe` for some calls of ours in a thread that runs users' code, too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():  # taken here, or it would be delivered now
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def inherits_mask() -> bool:
    """Return whether a thread started by this one must call `restore_sigpipe` before it runs user code."""
    return getattr(_mask, "blocked", False)


def restore_sigpipe() -> None:
    """Undo, in a new thread, the mask inherited from a thread that called `block_sigpipe`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})


class Thread(threading.Thread):
    """A daemon thread; to be interrupted in `start` leaves it either started or not, and nothing held.

    It begins with SIGPIPE as the program has it, also if a thread that has it blocked makes it.

    Args:
        target: what it runs.
        name: its name.
        args: for `target`.
    """

    def __init__(self, target: Callable[..., object], name: str, args: tuple[Any, ...] = ()) -> None:
        super().__init__(target=target, name=name, args=args, daemon=True)
        self._unblock = inherits_mask()
        self._entered = False
        self._started = Event()

    def start(self) -> None:
        """Start it, and wait until it runs.

        Raises:
            RuntimeError: the system has no thread left, or it has been started; or the interpreter is shutting down.
        """
        if sys.is_finalizing():  # CPython 3.11 starts a thread then, waits for it, and lets it do nothing
            raise RuntimeError("no thread can be started: the interpreter is shutting down")
        try:
            super().start()
        except KeyError as error:  # the entry that `_bootstrap` has removed already; see there
            if error.__context__ is None:
                raise
            raise error.__context__ from None
        except BaseException:
            with threading._active_limbo_lock:  # type: ignore[attr-defined]
                if not self._entered:  # nor may it ever: then it must not be taken for one that will
                    threading._limbo.pop(self, None)  # type: ignore[attr-defined]
            raise

    def _bootstrap(self) -> None:
        # `start` takes the entry back at an Exception, a signal handler's as well: though the thread runs by then, and
        # would end without it.
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            self._entered = True
            threading._limbo[self] = self  # type: ignore[attr-defined]
        super()._bootstrap()  # type: ignore[misc]

    def run(self) -> None:
        """Run the target."""
        if self._unblock:
            restore_sigpipe()
        super().run()


def locked(lock: Any, function: Callable[..., R], *args: object) -> R:
    """Call ``function(*args)`` while holding `lock`, which is free afterwards in any case.

    A ``with`` block has bytecodes before its exit is called at which it would stay held.

    Args:
        lock: a `threading.RLock`.
        function: what to call.
        args: for `function`.
    """
    released = False
    try:
        try:
            lock.acquire()
            result = function(*args)
            lock.release()
        except BaseException:
            if lock._is_owned():
                lock.release()
            released = True
            raise
    except BaseException:
        # An interrupt has come while what the function raised was handled.
        if not released and lock._is_owned():
            lock.release()
        raise
    return result


def with_cleanup(function: Callable[[], R], cleanup: Callable[[], object]) -> R:
    """Call ``function()``, then ``cleanup()`` in any case; again if an interrupt may have cut that short.

    A ``with`` or ``finally`` block has bytecodes before its exit is called at which that is left out.

    Args:
        function: what to call.
        cleanup: may be called twice, also if `function` was interrupted before its first step.
    """
    done = False
    try:
        try:
            result = function()
        finally:
            cleanup()
            done = True
    except BaseException:
        if not done:
            cleanup()
        raise
    return result


def raised_by_handler(error: BaseException) -> bool:
    """Return whether a signal handler raised `error`, and not the interrupted code itself.

    A handler is a function that gets the frame which it interrupts, and stands behind that in the traceback. (So is a
    trace function.) KeyboardInterrupt, which has a handler without a frame, counts in any case.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    traceback = error.__traceback__
    handlers: set[CodeType] | None = None
    while traceback is not None and (inner := traceback.tb_next) is not None:
        frame = inner.tb_frame
        code = frame.f_code
        count = code.co_argcount + bool(code.co_flags & 0x04)  # inspect.CO_VARARGS
        given = [frame.f_locals.get(name) for name in code.co_varnames[: count + code.co_kwonlyargcount]]
        for value in given:
            if value is traceback.tb_frame or (type(value) is tuple and traceback.tb_frame in value):
                return True
        if handlers is None:
            handlers = _installed()
        if code in handlers:
            return True
        traceback = inner
    return False


def _installed() -> set[CodeType]:
    """Return the code objects of the installed signal handlers."""
    found: set[CodeType] = set()
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if isinstance(code, CodeType):
            found.add(code)
    return found
