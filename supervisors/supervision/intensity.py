"""How often a supervisor may restart, and how long it waits before. Pure: the time is passed in."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from supervisors.exits import ExitReason

__all__ = ["Backoff", "BackoffState", "RestartIntensity", "RestartPolicy"]


class RestartIntensity:
    """The budget: a supervisor gives up at more than `max_restarts` attempts within `max_seconds`.

    Args:
        max_restarts: at least 0; 0 means that the first restart is one too many; None lifts the budget.
        max_seconds: the length of the window, > 0. An attempt that is exactly that old still counts.

    Raises:
        TypeError, ValueError: one of them is something else.
    """

    __slots__ = ("_attempts", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int | None = 3, max_seconds: float = 5.0) -> None:
        if max_restarts is not None:
            if isinstance(max_restarts, bool) or not isinstance(max_restarts, int):
                raise TypeError(f"max_restarts must be an int or None, not {max_restarts!r}")
            if max_restarts < 0:
                raise ValueError(f"max_restarts must not be negative: {max_restarts!r}")
        self.max_restarts = max_restarts
        self.max_seconds = positive("max_seconds", max_seconds)
        self._attempts: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Record an attempt at `now` (seconds); False if it is one too many."""
        if self.max_restarts is None:
            return True
        attempts = self._attempts
        attempts.append(now)
        while now - attempts[0] > self.max_seconds:
            attempts.popleft()
        return len(attempts) <= self.max_restarts

    def clear(self) -> None:
        """Forget all attempts."""
        self._attempts.clear()

    def recent(self, now: float) -> int:
        """How many of the recorded attempts are within the window that ends at `now`."""
        return sum(now - attempt <= self.max_seconds for attempt in self._attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a restart: not at all the first time, then base, base * factor, base * factor**2 ...

    Args:
        base: seconds, > 0.
        factor: at least 1.
        maximum: seconds; no wait is longer.
        jitter: 0 to 1: each wait is shortened by a random part of up to this share.
        reset_after: seconds that a child must have lived for its next restart to be at once again.

    Raises:
        TypeError, ValueError: one of them is something else.
    """

    base: float = 0.05
    factor: float = 2.0
    maximum: float = 5.0
    jitter: float = 0.0
    reset_after: float = 5.0

    def __post_init__(self) -> None:
        positive("base", self.base)
        positive("maximum", self.maximum)
        positive("reset_after", self.reset_after)
        if self.base > self.maximum:
            raise ValueError(
                f"base ({self.base:g} s) exceeds maximum ({self.maximum:g} s), which no wait does; raise maximum, too"
            )
        if positive("factor", self.factor) < 1.0:
            raise ValueError(f"factor must be at least 1: {self.factor!r}")
        if self.jitter != 0 and positive("jitter", self.jitter) > 1.0:
            raise ValueError(f"jitter must be from 0 to 1: {self.jitter!r}")

    def wait(self, attempt: int) -> float:
        """The wait before restart number `attempt` (0 is the first) in a row, in seconds, before jitter."""
        if attempt <= 0:
            return 0.0
        try:
            return min(self.maximum, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            return self.maximum


class BackoffState:
    """Where one child stands in its back-off.

    Args:
        config: the back-off; None never waits.
        rand: gives numbers from 0 to 1, for the jitter.
    """

    __slots__ = ("_attempt", "_config", "_rand", "_started_at")

    def __init__(self, config: Backoff | None, rand: Callable[[], float] = random.random) -> None:
        self._config = config
        self._rand = rand
        self._attempt = 0
        self._started_at: float | None = None

    def started(self, now: float) -> None:
        """The child has started at `now`."""
        self._started_at = now

    def healthy(self) -> None:
        """The child did what it is there for: this is no loop of starts that come to nothing, so no need to wait."""
        self._attempt = 0

    def delay(self, now: float) -> float:
        """The child has died, or failed to start, at `now`: the seconds to wait before the next attempt."""
        config = self._config
        if config is None:
            return 0.0
        if self._started_at is not None and now - self._started_at >= config.reset_after:
            self._attempt = 0
        self._started_at = None
        wait = config.wait(self._attempt)
        self._attempt += 1
        return wait * (1.0 - config.jitter * self._rand()) if config.jitter else wait


class RestartPolicy(Protocol):
    """Decides on restarts in place of a supervisor's `max_restarts` and `restart_backoff`, where more is known."""

    @property
    def intensity(self) -> RestartIntensity:
        """What the supervisor's statistics show as its budget."""

    def delay(self, child_id: object, reason: ExitReason, now: float) -> float | None:
        """Return the seconds to wait before this restart; None: the supervisor gives up.

        Args:
            child_id: the id of the child that ended, or failed to restart.
            reason: how.
            now: the scheduler's time, in seconds.
        """


def positive(name: str, value: float) -> float:
    """The value, if it is a finite number > 0.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite: {value!r}")
    return value
