"""The restart budget of a supervisor, and the wait before a restart. Pure: the time is passed in."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from sys import float_info
from typing import Protocol

from supervisors.exits import ExitReason
from supervisors.wording import shown

__all__ = ["Backoff", "BackoffState", "RestartIntensity", "RestartPolicy", "checked_backoff"]


class RestartIntensity:
    """The budget: a supervisor gives up at more than `max_restarts` attempts within `max_seconds`.

    Args:
        max_restarts: at least 0, at which the first restart exceeds the budget; None: no limit.
        max_seconds: the length of the window, > 0. An attempt that is exactly that old still counts.

    Raises:
        TypeError, ValueError: an argument is not as described.
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
        """Record an attempt at `now` (seconds). Returns False if it exceeds the budget."""
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
        """Return the number of recorded attempts within the window that ends at `now`."""
        return sum(now - attempt <= self.max_seconds for attempt in self._attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The wait before restarts: none before the first, then base, base * factor, base * factor**2 ...

    Args:
        base: seconds, > 0.
        factor: at least 1.
        maximum: seconds; no wait is longer.
        jitter: 0 to 1: each wait is shortened by a random part of up to this share.
        reset_after: seconds that a child must have lived for its next restart to be immediate again.

    Raises:
        TypeError, ValueError: an argument is not as described.
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
                f"base ({self.base:g} s) exceeds maximum ({self.maximum:g} s), the longest wait; raise maximum, too"
            )
        if positive("factor", self.factor) < 1.0:
            raise ValueError(f"factor must be at least 1: {self.factor!r}")
        if self.jitter != 0 and positive("jitter", self.jitter) > 1.0:
            raise ValueError(f"jitter must be from 0 to 1: {self.jitter!r}")

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait before restart number `attempt` (0 is the first) in a row, before jitter."""
        if attempt <= 0:
            return 0.0
        try:
            return min(self.maximum, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            return self.maximum


class BackoffState:
    """The state of one child's back-off.

    Args:
        config: the back-off; None: no wait.
        rand: returns random numbers from 0 to 1, for the jitter.
    """

    __slots__ = ("_attempt", "_config", "_rand", "_started_at")

    def __init__(self, config: Backoff | None, rand: Callable[[], float] = random.random) -> None:
        self._config = config
        self._rand = rand
        self._attempt = 0
        self._started_at: float | None = None

    def started(self, now: float) -> None:
        """Record that the child has started at `now`."""
        self._started_at = now

    def healthy(self) -> None:
        """Reset the back-off: the child has done useful work, so that its starts do not fail in a loop."""
        self._attempt = 0

    def delay(self, now: float) -> float:
        """Record its death or failed start at `now`. Returns the seconds to wait before the next attempt."""
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
    """Decides on restarts in place of a supervisor's `max_restarts` and `restart_backoff`."""

    @property
    def intensity(self) -> RestartIntensity:
        """The budget that the supervisor's statistics show."""

    def delay(self, child_id: object, reason: ExitReason, now: float) -> float | None:
        """Return the seconds to wait before this restart; None: the supervisor gives up.

        Args:
            child_id: the id of the child that ended, or failed to restart.
            reason: its exit reason.
            now: the scheduler's time, in seconds.
        """


def checked_backoff(value: object) -> Backoff | None:
    """Return what was given as `restart_backoff`.

    Raises:
        TypeError: it is neither a Backoff nor None.
    """
    if value is None or isinstance(value, Backoff):
        return value
    seconds = isinstance(value, (int, float)) and not isinstance(value, bool)
    remedy = f"; for waits from {value} s: Backoff(base={value})" if seconds else ""
    raise TypeError(f"restart_backoff must be a Backoff or None, not {shown(value)}{remedy}")


def positive(name: str, value: float) -> float:
    """Return the value if it is a finite number > 0.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not positive, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not 0 < value <= float_info.max:  # an int may be larger than any float
        raise ValueError(f"{name} must be positive and finite: {shown(value)}")
    return value
