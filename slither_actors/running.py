"""Which Systems run in this process: the one that `Dispatch` uses, the default one, and what a fork means to them."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING

from slither_actors.errors import SlitherError
from slither_actors.worker import in_worker

if TYPE_CHECKING:
    from slither_actors.system import System

known: weakref.WeakSet[System] = weakref.WeakSet()
"""Every System there is, for the fork hook."""
_running: list[System] = []
_default: System | None = None
_lock = threading.RLock()


def started(system: System) -> None:
    """It is the one that `Dispatch` uses from now on."""
    with _lock:
        _running.append(system)


def stopping(system: System) -> None:
    """`Dispatch` uses the one before it again."""
    with _lock:
        if system in _running:
            _running.remove(system)


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
    global _default
    with _lock:
        if _running:
            return _running[-1]
        if in_worker():
            raise SlitherError(
                "Dispatch inside a worker would start a pool for each worker; "
                "if that is what you want, start a System of your own there: with System(pools={...}) as system: ..."
            )
        if _default is None or _default.stopped:
            from slither_actors.system import System

            _default = System(name="slither-default")
            atexit.register(_stop_at_exit, _default, os.getpid())
        system = _default
    # Not under the lock, for which other Systems would wait. A second thread waits in here for the first one's start.
    return system.start()


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
