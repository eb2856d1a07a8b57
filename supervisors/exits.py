"""Exit reasons, and the answers of a start."""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct

from supervisors.wording import shown

__all__ = [
    "DEFERRED",
    "IGNORE",
    "Crashed",
    "Draining",
    "ExitReason",
    "Killed",
    "Normal",
    "Shutdown",
    "StartAnswer",
    "check_reason",
    "is_abnormal",
]


class Normal(Struct, frozen=True):
    """The actor had finished its work."""


class Shutdown(Struct, frozen=True):
    """The actor was asked to end, or ended in good order for the reason in `term`."""

    term: object = None


class Draining(Struct, frozen=True):
    """The `term` of a Shutdown that lets work finish. The sender waits, and kills at its own limit.

    Supervisors pass it on to their children. A child whose spec gives no `shutdown` then has no other limit.
    """


class Crashed(Struct, frozen=True):
    """An exception left the actor's code.

    Raises:
        TypeError: `exception` is not an exception instance.
    """

    exception: BaseException

    def __post_init__(self) -> None:
        # Checked here: the end of an actor reads its traceback, and an error at that point would leave it half ended.
        if not isinstance(self.exception, BaseException):
            raise TypeError(f"Crashed takes an exception instance, not {shown(self.exception)}")


class Killed(Struct, frozen=True):
    """The actor was ended without being asked."""


ExitReason = Normal | Shutdown | Crashed | Killed
"""The four reasons for which an actor ends. A union, so that a type checker can tell whether a `match` covers all."""


def is_abnormal(reason: ExitReason) -> bool:
    """Return whether a transient child is restarted after `reason`: Crashed and Killed."""
    return not isinstance(reason, (Normal, Shutdown))


def check_reason(reason: object) -> None:
    """Check that an actor may end with this reason.

    Raises:
        TypeError: it is not an ExitReason.
    """
    if not isinstance(reason, ExitReason):
        hint = ""
        if isinstance(reason, BaseException):
            hint = "; for an exception that is Crashed(exception)"
        elif isinstance(reason, (int, float)) and not isinstance(reason, bool):
            hint = "; a limit in seconds is the keyword argument timeout, where there is one"
        raise TypeError(
            "an exit reason must be Normal(), Shutdown(term), Crashed(exception) or Killed(), "
            f"not {shown(reason)}{hint}"
        )


class StartAnswer(enum.Enum):
    """What `on_start` may return, and (IGNORE only) what a child's start function may return."""

    IGNORE = "ignore"
    DEFERRED = "deferred"

    def __repr__(self) -> str:
        return self.name


IGNORE: Final = StartAnswer.IGNORE
"""There is nothing to run: the actor ends at once, and its supervisor keeps the spec without a child."""

DEFERRED: Final = StartAnswer.DEFERRED
"""Not started yet: the actor calls `started()` or `start_failed(exc)` later."""
