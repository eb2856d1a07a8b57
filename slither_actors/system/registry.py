"""Which Systems run in this process: the one that `Dispatch` uses, the default one, and what a fork means to them."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from slither_actors.errors import SystemStopped
from supervisors import Scheduler
from supervisors.runtime.interrupts import locked


class RegisteredSystem(Protocol):
    """What is known here of a System."""

    @property
    def takes_runs(self) -> bool:
        """Whether it runs, and does not drain."""

    @property
    def stopped(self) -> bool:
        """Whether it has been stopped."""

    @property
    def offered(self) -> bool:
        """Whether `Dispatch` may use it."""

    def end(self) -> object:
        """Stop it at the exit of the interpreter."""

    def forked(self) -> None:
        """Release what belongs to the parent process, in a forked child."""


known: weakref.WeakSet[RegisteredSystem] = weakref.WeakSet()
"""Every System there is, for the fork hook."""
_running: list[RegisteredSystem] = []
_default: RegisteredSystem | None = None
_exiting = False
_lock = threading.RLock()


def started(system: RegisteredSystem) -> None:
    """Record a System that `Dispatch` uses as soon as it takes runs."""
    if system.offered:
        _running.append(system)


def stopping(system: RegisteredSystem) -> None:
    """Have `Dispatch` use the System before this one again."""
    try:
        _running.remove(system)
    except ValueError:  # it was not, or another thread has done this
        pass


def is_default(system: RegisteredSystem) -> bool:
    """Return whether it is the default System."""
    return system is _default


def running_system() -> RegisteredSystem | None:
    """Return the System that `Dispatch` uses here, if there is one. Never blocks.

    On a thread of a System's own, and where its context was carried, that very one, whatever its state. Elsewhere the
    last of those that run; where none does, one that is starting or draining, which says so.
    """
    scheduler = Scheduler.working_for()
    if scheduler is not None and scheduler.owner is not None:
        own: RegisteredSystem = scheduler.owner
        return own
    last = None
    for system in reversed(_running[:]):
        if system.takes_runs:
            return system
        last = last or system
    return last


def default(make: Callable[[], RegisteredSystem]) -> RegisteredSystem:
    """Return the default RegisteredSystem, made now if there is none that can be used. Not started.

    Raises:
        SystemStopped: the interpreter is exiting.
    """
    return locked(_lock, lambda: _default_or_new(make))


def _default_or_new(make: Callable[[], RegisteredSystem]) -> RegisteredSystem:
    global _default
    if _exiting:
        raise SystemStopped(
            "the default System was stopped, as the program is at its end; what is to run in an exit hook needs a "
            "System of its own, or a hook that is registered after slither_actors was imported"
        )
    if _default is None or _default.stopped:
        _default = make()
    return _default


# At import, so that hooks that are registered later, which run before this one, still have the default System.
@atexit.register
def _stop_at_exit() -> None:
    default = locked(_lock, _begin_exit)
    if default is not None:
        default.end()


def _begin_exit() -> RegisteredSystem | None:
    global _exiting
    _exiting = True  # a thread that still dispatches must not start another one: it would never be stopped
    return _default


def _after_fork_in_child() -> None:
    global _default, _exiting, _lock
    _lock = threading.RLock()  # the parent's may have been held at the fork
    _default = None
    _exiting = False
    _running.clear()
    for system in list(known):
        system.forked()


os.register_at_fork(after_in_child=_after_fork_in_child)
