"""Kills a worker now and then, as an out-of-memory killer would."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from slither_actors import System

PAUSE = (0.4, 1.2)
"""Seconds between two kills, at least and at most: often enough to be seen, seldom enough that work gets done."""
FIRST = 0.2
"""Seconds before the first kill: where little of the standard library is installed all is over in a second."""


class Killer:
    """Sends SIGKILL to a random worker of a System, again and again, on a thread of its own, while in its context."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slither-actors-killer", daemon=True)
        self.killed = 0
        """Workers killed so far."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pause = FIRST
        while not self._over.wait(pause):
            pause = random.uniform(*PAUSE)
            pools = self._system.statistics().pools.values()
            pids = [executor.pid for pool in pools for executor in pool.executors if executor.pid is not None]
            if pids:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
                    os.kill(random.choice(pids), signal.SIGKILL)
                    self.killed += 1
