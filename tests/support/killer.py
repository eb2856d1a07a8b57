"""Kills workers at random, at a rate, with a seed that can be given again."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from slither_actors import System


class Killer:
    """Sends a signal to a random worker of a pool: when told to, or again and again on a thread while in its context.

    Args:
        system: whose workers these are.
        seed: of its choices.
        pause: seconds between two kills of the thread. Where workers are killed faster than they can start, a batch may
            well run out of attempts; who cannot have that tells when, by progress.
        signals: one of them each time.
        states: of workers that it looks for; None: any, those that are still starting too, which then count as unable
            to start.
        pool: the workers' pool.
    """

    def __init__(
        self,
        system: System,
        seed: int,
        pause: float = 0.05,
        signals: Sequence[signal.Signals] = (signal.SIGKILL,),
        states: Sequence[str] | None = ("ready",),
        pool: str = "default",
    ) -> None:
        self.sent: Counter[str] = Counter()
        self._system = system
        self._pause = pause
        self._signals = signals
        self._states = states
        self._pool = pool
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="killer", daemon=True)

    @property
    def kills(self) -> int:
        """Signals sent so far."""
        return self.sent.total()

    def kill_one(self) -> None:
        """Now, if there is one."""
        workers = self._system.statistics().pools[self._pool].executors
        found = [each.pid for each in workers if each.pid and (self._states is None or each.state in self._states)]
        if found:
            sig = self._random.choice(self._signals)
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(found), sig)
                self.sent[sig.name] += 1

    def _work(self) -> None:
        while not self._over.wait(self._pause):
            self.kill_one()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
