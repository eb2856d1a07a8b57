"""Giving back the memory of large payloads once no run has used a pool for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slither_actors.pools.assignment.job import Trim, WorkerSlot
from slither_actors.pools.messages import TRIM_AGAIN
from slither_actors.pools.shared_memory import RequestArena
from supervisors import LightActor, Timer

TRIM_AFTER = 30.0
"""Seconds without a run after which the memory of large payloads is given back. Not at once: the kernel needs as long
to make fresh pages for the next run as for all of its copies."""


class MemoryRest:
    """Trims the host's and the workers' memory while a pool rests.

    Args:
        actor: whose timer this is.
        arena: returns the memory that the pool shares with its workers; None where there is none.
        slots: of the pool.
        in_use: whether a run uses the pool now.
    """

    def __init__(
        self,
        actor: LightActor,
        arena: Callable[[], RequestArena | None],
        slots: Iterable[WorkerSlot],
        in_use: Callable[[], bool],
    ) -> None:
        self._actor = actor
        self._arena = arena
        self._slots = slots
        self._in_use = in_use
        self._since = 0.0
        self._alarm: Timer | None = None

    def begin(self) -> None:
        """Start to wait: there is no run. The next one would need the memory again, so it is kept for a while."""
        self._since = self._actor.scheduler.now()
        if self._alarm is None:
            self._alarm = self._actor.call_later(TRIM_AFTER, self._due)

    def _due(self) -> None:
        self._alarm = None
        if self._in_use():
            return
        left = self._since + TRIM_AFTER - self._actor.scheduler.now()
        if left > 0:
            self._alarm = self._actor.call_later(left, self._due)
            return
        arena, busy = self._arena(), False
        if arena is not None:
            arena.trim()
            busy = arena.used > 0
        for slot in self._slots:
            busy = busy or bool(slot.jobs)
            if slot.ready and slot.ref is not None:
                slot.ref.tell(Trim())
        if busy:  # with what a closed run has left at a worker
            self._alarm = self._actor.call_later(TRIM_AGAIN, self._due)
