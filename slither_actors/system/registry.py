"""Which Systems run in this process: the one that `Dispatch` uses, the default one, and what a fork means to them."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING

from slither_actors.errors import FINALIZING, SlitherError, SystemStopped
from slither_actors.worker import in_worker
from supervisors import Scheduler
from supervisors.runtime.interrupts import locked

if TYPE_CHECKING:
    from slither_actors.system.system import System

known: weakref.WeakSet[System] = weakref.WeakSet()
"""Every System there is, for the fork hook."""
_running: list[System] = []
_default: System | None = None
_exiting = False
_lock = threading.RLock()


def started(system: System) -> None:
    """It is the one that `Dispatch` uses, as soon as it takes runs."""
    _running.append(system)


def stopping(system: System) -> None:
    """`Dispatch` uses the one before it again."""
    try:
        _running.remove(system)
    except ValueError:  # it was not, or another thread has done this
        pass


def is_default(system: System) -> bool:
    """Whether it is the default one."""
    return system is _default


def running_system() -> System | None:
    """The System that `Dispatch` uses here, if there is one. Never blocks.

    On a thread of a System's own, and where its context was carried, that very one, whatever its state. Elsewhere the
    last of those that run; where none does, one that is starting or draining, which says so.
    """
    scheduler = Scheduler.working_for()
    if scheduler is not None and scheduler.owner is not None:
        own: System = scheduler.owner
        return own
    last = None
    for system in reversed(_running[:]):
        if system.takes_runs:
            return system
        last = last or system
    return last


def current_system() -> System:
    """The System that `Dispatch` uses here.

    In an actor of a System's tree, and on every other thread of its own (sources, strategies and inline executors of
    its runs, telemetry handlers), that System, whatever its state. Threads that such code starts are not the System's:
    `asyncio.to_thread` and `contextvars.copy_context().run` carry it there.

    Elsewhere the running System that was started last; or the default one, started now and stopped at exit.

    Raises:
        SlitherError: inside a worker, where a default System would make workers of workers.
        SystemStopped: there is none, and the interpreter is exiting.
    """
    found = running_system()
    if found is not None:
        return found
    if sys.is_finalizing():  # before the lock, which a thread that froze may hold
        raise SystemStopped(FINALIZING)
    if in_worker():
        raise SlitherError(
            "Dispatch inside a worker would start a pool for each worker; "
            "if that is what you want, start a System of your own there: with System(pools={...}) as system: ..."
        )
    # Not under the lock, for which other Systems would wait. A second thread waits in here for the first one's start.
    return locked(_lock, _default_system).start()


def _default_system() -> System:
    global _default
    if _exiting:
        raise SystemStopped(
            "the default System was stopped, as the program is at its end; what is to run in an exit hook needs a "
            "System of its own, or a hook that is registered after slither_actors was imported"
        )
    if _default is None or _default.stopped:
        from slither_actors.system.system import System

        _default = System(name="slither-default")
    return _default


# At import, so that hooks that are registered later, which run before this one, still have the default System.
@atexit.register
def _stop_at_exit() -> None:
    default = locked(_lock, _begin_exit)
    if default is not None:
        default.end()


def _begin_exit() -> System | None:
    global _exiting
    _exiting = True  # a thread that still dispatches is not to start another one, which nobody would stop
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
