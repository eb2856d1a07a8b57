"""A deadline that is moved for every request and hardly ever reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors import LightActor, Timer


LOOK = 1.0
"""Seconds between two looks at the clock while there is a deadline: so a standstill is seen wherever it happens."""
LATE = 1.0
"""Seconds by which such a look must be late to be a standstill: of the process, the container or the machine."""


class Deadline:
    """The time by which an actor wants something to have happened.

    One alarm serves all its values: it stays set when the deadline moves away, and looks again when it rings. So a new
    one costs a comparison, and no timer.

    A time in which nothing ran (SIGSTOP, ``docker pause``, a machine that swaps) is no time that a worker had. It is
    seen by an alarm that rings late, and moves the deadline: what replies have come meanwhile are read first. In all it
    is moved by no more than the time that was given, so that a host that starves its own threads still gets there.

    Args:
        actor: owns the alarm, which is gone with it.
        reached: called on the scheduler's thread with the deadline that has passed, which stays until it is set again.
        stood: called with the seconds by which a standstill has moved it: clocks that began before it move as well.
    """

    __slots__ = ("_actor", "_alarm", "_alarm_at", "_armed", "_left", "_reached", "_stood", "at")

    def __init__(
        self,
        actor: LightActor,
        reached: Callable[[float], object],
        stood: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self._actor = actor
        self._reached = reached
        self._stood = stood
        self._alarm: Timer | None = None
        self._alarm_at = 0.0
        self._armed = 0.0
        self._left = 0.0
        self.at: float | None = None
        """In seconds of the scheduler's clock; None: there is none. To be moved by `set`, taken away here as well."""

    def set(self, at: float | None, span: float = 0.0) -> None:
        """Set the deadline.

        Args:
            at: by the scheduler's clock; None for none.
            span: seconds that were given until then: by as much it may be moved for standstills; 0.0: never.
        """
        self.at = at
        if at is not None:
            self._left = span
            if self._alarm is None or self._alarm_at > at:
                self._arm(at)

    def _arm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        now = self._armed = self._actor.scheduler.now()
        self._alarm_at = min(max(at, now), now + LOOK)
        self._alarm = self._actor.call_later(self._alarm_at - now, self._rings)

    def _rings(self) -> None:
        self._alarm = None
        at = self.at
        if at is None:
            return
        now = self._actor.scheduler.now()
        if (late := now - self._alarm_at) > LATE and self._left > 0.0:
            moved = self._moved(at, now, late)
            if moved > at:
                self._stood(moved - at)
            at = self.at = moved
        if now < at:
            self._arm(at)
        else:
            self._reached(at)

    def _moved(self, at: float, now: float, late: float) -> float:
        """Return the deadline after a standstill: what was left of its time before it is left after it."""
        # It may have begun at any time since the look before, or since the deadline was set.
        moved = max(at, now + min(at - self._armed, self._left))
        self._left -= late
        return moved
