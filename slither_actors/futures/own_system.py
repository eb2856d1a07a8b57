"""A System of an executor's own: a thread starts it with the first call, and stops it behind the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slither_actors.futures.errors import InitializerFailed
from slither_actors.futures.pending import Lane, PendingCalls
from slither_actors.pools.spec import PoolSpec
from slither_actors.system.system import System
from supervisors.runtime.interrupts import Event, Thread, locked


class HiddenSystem(System):
    """A System that `Dispatch` does not take for one that the program has started."""

    @property
    def offered(self) -> bool:
        """Whether `Dispatch` may use it."""
        return False


class OwnSystem:
    """The life of the System.

    Args:
        spec: of its one pool.
        lane_of: makes the lane to that pool.
    """

    def __init__(self, spec: PoolSpec, lane_of: Callable[[System], Lane]) -> None:
        self._spec = spec
        self._lane_of = lane_of
        self._thread: Thread | None = None
        self._lock = threading.RLock()
        self._over = Event()
        self.calls = PendingCalls(self.begin, self._over.set, self.join)

    def begin(self) -> None:
        """Start the thread, once. Does not wait for the System."""
        locked(self._lock, self._begin)

    def _begin(self) -> None:
        if self._thread is None:
            thread = Thread(self._run, "slither-executor")
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        system = HiddenSystem({"default": self._spec}, name="slither-executor")
        try:
            system.start()
            lane = self._lane_of(system)
        except BaseException as error:
            broken = InitializerFailed(f"the workers of the executor cannot be started: {error}")
            broken.__cause__ = error
            self.calls.fail(broken)
            system.end()
            return
        self.calls.open(lane)
        self._over.wait()
        system.end()

    def join(self) -> None:
        """Wait for the end of the System. Call it when no call is pending, and none can come."""
        if self._thread is not None:
            self._thread.join()
