"""Actors with a thread of their own: DaemonActor, and plain Pykka actors made fit to be supervised."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self, TypeVar, overload

import pykka

from supervisors.actors.futures import check_may_block
from supervisors.actors.lifecycle import Started
from supervisors.actors.reply import Reply
from supervisors.actors.thread_loop import Inbox, ThreadLoop, abandoned_threads
from supervisors.actors.thread_timers import ThreadTimers, check_own_thread
from supervisors.errors import SupervisorError
from supervisors.exits import Crashed, ExitReason, check_reason
from supervisors.runtime.timers import Timer

__all__ = ["DaemonActor", "DaemonRef", "abandoned_threads", "supervise_threading"]

P = TypeVar("P", bound=pykka.ThreadingActor)
D = TypeVar("D", bound="DaemonActor")


class DaemonRef(pykka.ActorRef[D]):
    """Reference to a DaemonActor."""

    def __init__(self, actor: D) -> None:
        super().__init__(actor)
        inbox = actor.actor_inbox
        assert isinstance(inbox, Inbox)
        self._inbox = inbox
        self._put = inbox.put_plain

    def tell(self, message: object) -> None:
        """Send a message. From any thread; never blocks, never raises. To a dead actor it is dropped."""
        if not self._inbox.closed:
            self._put(message)

    @overload
    def ask(self, message: object, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[Any]: ...

    @overload
    def ask(self, message: object, *, block: Literal[True], timeout: float | None = None) -> Any: ...

    @overload
    def ask(self, message: object, *, block: bool = True, timeout: float | None = None) -> Any: ...

    def ask(self, message: object, *, block: bool = True, timeout: float | None = None) -> Any:
        """As in Pykka. A dead actor answers ActorDeadError, also if it dies with the message unread.

        Raises:
            WouldDeadlock: block is True, and this is a scheduler's thread. Nothing has been sent then.
        """
        if block:
            check_may_block("ask()")
        return super().ask(message, block=block, timeout=timeout)


class DaemonActor(ThreadLoop):
    """An actor with a daemon thread of its own: for code that blocks, and for users' code.

    Runs in: its own thread, except `__init__`, which runs in the thread that calls `start`. If it dies, messages that
    wait for it are lost (an `ask` is answered with ActorDeadError); its monitors get the reason. If it is killed while
    inside its code, it counts as dead at once and its thread as abandoned (`abandoned_threads`) until that returns.
    Every pending `ask` is then answered with ActorDeadError, including the one that is being handled.

    What a handler raises for an `ask` is the caller's alone, as in Pykka; with ``ask_failure_crashes = True`` in the
    class it crashes the actor as well, as in OTP.

    It stays out of `pykka.ActorRegistry`. `on_start` may answer IGNORE or DEFERRED as a light actor's does.
    """

    timer_clock: ClassVar[Callable[[], float]] = time.monotonic
    """The clock of its timers: seconds, monotonic. A test may replace it in a subclass."""

    _sup_registered = False
    _sup_timers: ThreadTimers | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._daemon_ref: DaemonRef[Any] = DaemonRef(self)
        self._actor_ref = self._daemon_ref

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> DaemonRef[Self]:
        """Make the actor and start its thread.

        Raises:
            RuntimeError: the system has no thread left, or the interpreter is shutting down.
            SupervisorError: its `__init__` has not called that of DaemonActor.
        """
        actor = cls(*args, **kwargs)
        if "_daemon_ref" not in actor.__dict__:
            raise SupervisorError(f"{cls.__name__}.__init__ must call super().__init__()")
        actor._start_actor_loop()
        return actor.actor_ref

    @property
    def actor_ref(self) -> DaemonRef[Self]:
        """The actor's reference."""
        return self._daemon_ref

    def on_start(self) -> Any:
        """Begin. May answer IGNORE or DEFERRED. If it raises, the start has failed."""
        return None

    def receive_timeout(self) -> float | None:
        """Return the seconds to wait for a message before `on_timeout`; None: no limit. Called before each wait.

        A timer that runs begins the wait from the start, as a message does.
        """
        return None

    def on_timeout(self) -> None:
        """Handle an inbox that was empty for `receive_timeout` seconds."""

    def on_exit(self, reason: ExitReason) -> None:
        """Clean up: the last call, exactly once, in its own thread (the starter's, if that could not be started)."""

    def started(self) -> None:
        """Report that the deferred start is done."""
        self._sup_lifecycle.start.set(Started())

    def start_failed(self, exc: BaseException) -> None:
        """Report that the deferred start has failed: it ends with Crashed(exc) after the message at hand."""
        reason = Crashed(exc)
        self._sup_lifecycle.start.set(reason)
        self.exit(reason)

    def exit(self, reason: ExitReason) -> None:
        """End after the message at hand, without a look at those that wait. The first reason counts. Any thread.

        Raises:
            TypeError: `reason` is no ExitReason.
        """
        check_reason(reason)
        if self._sup_requested is None:
            self._sup_requested = reason
        self.actor_stopped.set()
        self._sup_inbox.wake()

    def reply_later(self) -> Reply[Any]:
        """Take over the answer to the `ask` that is being handled, as a light actor does: see `LightActor.reply_later`.

        Raises:
            SupervisorError: no `ask` is being handled, or its answer has been taken over already.
            RuntimeError: called in another thread than the actor's own.
        """
        check_own_thread(self._sup_lifecycle.thread, "reply_later()")
        reply = self._sup_inbox.reply_later(self.actor_stopped)
        if reply is None:
            raise SupervisorError("reply_later() is for the handling of an ask, once for each")
        return reply

    def call_later(self, delay: float, fn: Callable[..., object], *args: object) -> Timer:
        """Call ``fn(*args)`` in the actor's thread after `delay` seconds, between two messages.

        For the actor's own code, in its thread or in `__init__`. The timer is cancelled when the actor ends; what it
        raises crashes the actor. A handler that does not return delays the timers.

        Raises:
            RuntimeError: called in another thread.
            SupervisorError: the actor has ended.
        """
        return self._sup_add_timer(delay, fn, args)

    def send_after(self, delay: float, message: object) -> Timer:
        """Send a message to the actor itself after `delay` seconds, as OTP's `Process.send_after`: see `call_later`."""
        return self._sup_add_timer(delay, self._daemon_ref.tell, (message,))

    @property
    def stopping(self) -> bool:
        """True once it is to end: long-running code looks at it now and then."""
        return self.actor_stopped.is_set()

    def _sup_add_timer(self, delay: float, fn: Callable[..., object], args: tuple[Any, ...]) -> Timer:
        lifecycle = self.__dict__.get("_sup_lifecycle")  # not there yet in `__init__`
        if lifecycle is not None:
            check_own_thread(lifecycle.thread, "a timer")
            if self._sup_inbox.closed:
                raise SupervisorError(f"{self} has ended and can own no more timers")
        timers = self._sup_timers
        if timers is None:
            timers = self._sup_timers = ThreadTimers(type(self).timer_clock)
        return timers.add(delay, fn, args)

    def _sup_wait_time(self) -> float | None:
        timers = self._sup_timers
        if timers is None:
            return self.receive_timeout()
        timers.run_due(self.actor_stopped.is_set)
        return timers.wait_time(self.receive_timeout())

    def _sup_nothing_came(self) -> None:
        timers = self._sup_timers
        if timers is None or not timers.waits_for_timer:
            self.on_timeout()

    def _sup_last_call(self, reason: ExitReason) -> None:
        if self._sup_timers is not None:
            self._sup_timers.cancel_all()
        self.on_exit(reason)


def supervise_threading(cls: type[P]) -> type[P]:
    """Return the class to start a plain Pykka actor from, so that it can be monitored and supervised.

    A generated subclass of the same name. Its thread is a daemon; its start, end and exit reason are reported; a
    BaseException ends this actor only. Stopped as in Pykka it ends with Normal, asked by a supervisor with Shutdown.
    It is registered in `pykka.ActorRegistry` like any other. ``ask_failure_crashes`` of the class counts as that of a
    DaemonActor.

    Args:
        cls: a subclass of `pykka.ThreadingActor`. DaemonActors, and what this returned before, come back as they are.

    Raises:
        TypeError: it is something else.
    """
    given: Any = cls
    if not isinstance(given, type) or not issubclass(given, pykka.ThreadingActor):
        raise TypeError(f"supervise_threading takes a subclass of pykka.ThreadingActor, not {given!r}")
    if issubclass(cls, ThreadLoop):
        return cls
    # Kept on the class itself, so that both are garbage together.
    made: type[P] | None = cls.__dict__.get("_sup_class")
    if made is None:
        names: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        names["ask_failure_crashes"] = getattr(cls, "ask_failure_crashes", False)
        made = type(cls.__name__, (ThreadLoop, cls), names)
        cls._sup_class = made  # type: ignore[attr-defined]
    return made
