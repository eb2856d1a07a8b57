"""A deadline that is moved for every request and hardly ever reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors import LightActor, Timer


class Deadline:
    """The time by which an actor wants something to have happened.

    One alarm serves all its values: it stays set when the deadline moves away, and looks again when it rings. So a new
    one costs a comparison, and no timer.

    Args:
        actor: owns the alarm, which is gone with it.
        reached: told the deadline that has come, on the scheduler's thread; the deadline stays until it is set anew.
    """

    __slots__ = ("_actor", "_alarm", "_alarm_at", "_reached", "at")

    def __init__(self, actor: LightActor, reached: Callable[[float], object]) -> None:
        self._actor = actor
        self._reached = reached
        self._alarm: Timer | None = None
        self._alarm_at = 0.0
        self.at: float | None = None
        """In seconds of the scheduler's clock; None: there is none. To be moved by `set`, taken away here as well."""

    def set(self, at: float | None) -> None:
        """From now on it is this one."""
        self.at = at
        if at is None:
            return
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._actor.call_later(max(0.0, at - self._actor.scheduler.now()), self._rings)

    def _rings(self) -> None:
        self._alarm = None
        at = self.at
        if at is None:
            return
        if self._actor.scheduler.now() < at:
            self.set(at)
        else:
            self._reached(at)
