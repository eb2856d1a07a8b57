"""Which Systems run in this process: the one that `Dispatch` uses, the default one, and what a fork means to them."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING

from slither_actors.errors import SlitherError
from slither_actors.worker import in_worker
from supervisors.interrupts import locked

if TYPE_CHECKING:
    from slither_actors.system import System

known: weakref.WeakSet[System] = weakref.WeakSet()
"""Every System there is, for the fork hook."""
_running: list[System] = []
_default: System | None = None
_lock = threading.RLock()


def started(system: System) -> None:
    """It is the one that `Dispatch` uses from now on."""
    _running.append(system)


def stopping(system: System) -> None:
    """`Dispatch` uses the one before it again."""
    try:
        _running.remove(system)
    except ValueError:  # it was not, or another thread has done this
        pass


def running_system() -> System | None:
    """The running System that was started last, if there is one. Never blocks."""
    try:
        return _running[-1]
    except IndexError:
        return None


def current_system() -> System:
    """The running System that was started last, or the default one, started now and stopped at exit.

    Raises:
        SlitherError: inside a worker, where a default System would make workers of workers.
    """
    system = running_system()
    if system is not None:
        return system
    if in_worker():
        raise SlitherError(
            "Dispatch inside a worker would start a pool for each worker; "
            "if that is what you want, start a System of your own there: with System(pools={...}) as system: ..."
        )
    # Not under the lock, for which other Systems would wait. A second thread waits in here for the first one's start.
    return locked(_lock, _default_system).start()


def _default_system() -> System:
    global _default
    if _default is None or _default.stopped:
        from slither_actors.system import System

        _default = System(name="slither-default")
        atexit.register(_stop_at_exit, _default, os.getpid())
    return _default


def _stop_at_exit(system: System, pid: int) -> None:
    # A forked child inherits the hook, and must not end its parent's workers.
    if os.getpid() == pid:
        system.stop()


def _after_fork_in_child() -> None:
    global _default, _lock
    _lock = threading.RLock()  # the parent's may have been held at the fork
    _default = None
    _running.clear()
    for system in list(known):
        system.forked()


os.register_at_fork(after_in_child=_after_fork_in_child)
