"""The lifecycle of an actor as seen from outside: its start, its end and the reason. Safe from any thread."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any, Generic, Never, Protocol, TypeVar

import pykka
from msgspec import Struct

from supervisors.actors.ref import Ref
from supervisors.exits import ExitReason
from supervisors.runtime.interrupts import raised_by_handler
from supervisors.runtime.mailbox import MailboxTarget
from supervisors.wording import no_reference, shown

__all__ = [
    "Down",
    "Ignored",
    "Latch",
    "Lifecycle",
    "Monitor",
    "StartOutcome",
    "Started",
    "Watcher",
    "checked_lifecycle",
    "lifecycle_of",
    "monitor",
]

T = TypeVar("T")

_logger = logging.getLogger("supervisors")


class Latch(Generic[T]):
    """A value that is set once, and listeners that are called once with it, however set and listen race.

    Without a lock that could be held by a thread on which a finalizer runs: `set` writes the value, by one atomic step
    that decides among several, before it looks at the listeners; `listen` adds the listener before it looks at the
    value; and taking a listener is atomic.
    """

    __slots__ = ("_listeners", "_set")

    def __init__(self) -> None:
        self._set: dict[str, tuple[T]] = {}
        self._listeners: list[Callable[[T], object]] = []

    @property
    def value(self) -> T | None:
        """What it was set to; None before."""
        entry = self._set.get("it")
        return None if entry is None else entry[0]

    def set(self, value: T) -> bool:
        """Set it and call the listeners, in their order. False if it was set already."""
        entry = (value,)
        if self._set.setdefault("it", entry) is not entry:
            return False
        self._call(value)
        return True

    def listen(self, listener: Callable[[T], object]) -> None:
        """Call ``listener(value)`` when it is set (on the setter's thread), or now. It must be quick."""
        self._listeners.append(listener)
        value = self.value
        if value is not None:
            self._call(value)

    def forget(self, listener: Callable[[T], object]) -> None:
        """Take a listener back. It may be running at this moment."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def _call(self, value: T) -> None:
        while True:
            try:
                listener = self._listeners.pop(0)  # atomic: of two threads in this loop only one gets a listener
            except IndexError:
                return
            try:
                listener(value)
            except BaseException as error:
                if raised_by_handler(error):
                    raise  # `listen` may call the listener on a thread that signal handlers interrupt
                _logger.exception("%r raised", listener)


class Started(Struct, frozen=True):
    """A start outcome: the actor runs."""


class Ignored(Struct, frozen=True):
    """A start outcome: the actor answered IGNORE."""


# An ExitReason is the reason of a failed start.
StartOutcome = Started | Ignored | ExitReason


class Lifecycle:
    """An actor's two latches, and what its supervisor may do to it. Hangs on its reference: see `lifecycle_of`."""

    __slots__ = ("exit", "healthy", "start", "supervisor")

    def __init__(self) -> None:
        self.healthy = False
        # Its supervisor: at most one, else each would restart the actor after the other one stops it.
        self.supervisor: Watcher | None = None
        self.start: Latch[StartOutcome] = Latch()
        self.exit: Latch[ExitReason] = Latch()

    def ask_shutdown(self, reason: ExitReason) -> None:
        """Ask it to end. From any thread, never blocks."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it without asking. From any thread, never blocks."""
        raise NotImplementedError

    def deliver(self, watcher: Callable[[Down], object], down: Down) -> None:
        """Call a watcher on the thread where this actor's watchers are called."""
        watcher(down)


def lifecycle_of(ref: pykka.ActorRef[Any]) -> Lifecycle | None:
    """Return the lifecycle of an actor of this package or of a `supervise_threading` class; else None."""
    lifecycle = getattr(ref, "_lifecycle", None)
    return lifecycle if isinstance(lifecycle, Lifecycle) else None


def checked_lifecycle(ref: object, what: str) -> Lifecycle:
    """Return the lifecycle of an actor.

    Args:
        ref: its reference.
        what: is to be done with it, for the error: "monitored" or the like.

    Raises:
        TypeError: it is no reference, or that of an actor that does not report its life.
    """
    if not isinstance(ref, pykka.ActorRef):
        raise TypeError(f"only an actor's reference can be {what}, not {no_reference(ref)}")
    lifecycle = lifecycle_of(ref)
    if lifecycle is None:
        raise TypeError(f"{ref} cannot be {what}: start it from supervise_threading({ref.actor_class.__name__})")
    return lifecycle


class Down(Struct, frozen=True):
    """The actor behind `ref` has ended."""

    ref: pykka.ActorRef[Any]
    reason: ExitReason


class Monitor:
    """Made by `monitor`: delivers one Down, unless cancelled before."""

    __slots__ = ("_life", "cancelled", "ref", "watcher")

    def __init__(
        self, ref: pykka.ActorRef[Any], lifecycle: Lifecycle, watcher: Watcher | Callable[[Down], object]
    ) -> None:
        self.ref = ref
        self.watcher = watcher
        self.cancelled = False
        self._life = lifecycle

    def cancel(self) -> None:
        """No Down any more. On the watcher's own thread that is certain, from elsewhere one may be on its way."""
        self.cancelled = True
        self._life.exit.forget(self._ended)

    def _ended(self, reason: ExitReason) -> None:
        if self.cancelled:
            return
        watcher = self.watcher
        if callable(watcher):
            self._life.deliver(self._call, Down(self.ref, reason))
        else:
            watcher.actor_ref.tell(DownNotice(self, Down(self.ref, reason)))

    def _call(self, down: Down) -> None:
        if not self.cancelled:
            self.cancelled = True
            assert callable(self.watcher)
            self.watcher(down)


class DownNotice(Struct, frozen=True):
    """A Down in a light actor's mailbox; `Monitor.cancelled` is checked when it is taken out."""

    monitor: Monitor
    down: Down


class Watcher(Protocol):
    """What takes a Down as a message: a light actor."""

    @property
    def actor_ref(self) -> Ref[DownNotice]:
        """Its reference."""


def monitor(ref: Ref[Never], watcher: Watcher | Callable[[Down], object]) -> Monitor:
    """Learn of an actor's end: exactly one ``Down(ref, reason)`` for each monitor, at once if it is dead already.

    From any thread.

    Args:
        ref: a light actor, a DaemonActor, or an actor of a class that went through `supervise_threading`.
        watcher: a light actor, which gets the Down as a message; or a callable, which is called on the scheduler's
            thread if `ref` is a light actor (in the caller's thread if that scheduler has ended), else in the thread
            that ends (in the caller's thread if it is dead already). It must not block.

    Raises:
        TypeError: `ref` is no reference, or that of a plain Pykka actor, which reports no end; or `watcher` is neither
            a light actor itself nor callable.
    """
    lifecycle = checked_lifecycle(ref, "monitored")
    assert isinstance(ref, pykka.ActorRef)  # as that has checked
    if not callable(watcher) and not isinstance(watcher, MailboxTarget):
        raise TypeError(f"a watcher must be a light actor itself (not its reference) or callable, not {shown(watcher)}")
    made = Monitor(ref, lifecycle, watcher)
    lifecycle.exit.listen(made._ended)
    return made
