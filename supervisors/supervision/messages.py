"""The messages that a supervisor understands. Send them with `tell` from anywhere; `admin` has functions that wait."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Literal

import pykka
from msgspec import Struct

from supervisors.supervision.child_spec import ChildSpec, ChildType

__all__ = [
    "RESTARTING",
    "ChildCounts",
    "ChildInfo",
    "CountChildren",
    "DeleteChild",
    "Reply",
    "Request",
    "RestartChild",
    "StartChild",
    "TerminateChild",
    "WhichChildren",
]

Reply = Callable[[Any], object]
"""Called once on the supervisor's scheduler thread with the result, or with an exception instance. Not called if the
supervisor is dead when the message arrives."""

RESTARTING: Final = "restarting"


class Request(Struct, frozen=True):
    """Base of the requests."""

    reply: Reply | None = None


class StartChild(Struct, frozen=True):
    """Add a child. Result: its reference, once it has started; None if it answered IGNORE.

    Errors: AlreadyStarted, AlreadyPresent, MaxChildren, StartFailed, SpecError.
    """

    spec: ChildSpec
    reply: Reply | None = None


class TerminateChild(Struct, frozen=True):
    """Stop a child (named by id; for a dynamic supervisor by reference). Result: None. Errors: ChildNotFound.

    While a dynamic supervisor restarts a child, the child's last reference still names it.
    """

    child: Hashable
    reply: Reply | None = None


class RestartChild(Struct, frozen=True):
    """Start a child that does not run. Result: its reference, or None if it answered IGNORE.

    Errors: ChildNotFound, ChildRunning, ChildRestarting, StartFailed, NotSupported.
    """

    child: Hashable
    reply: Reply | None = None


class DeleteChild(Struct, frozen=True):
    """Delete the spec of a child that does not run. Result: None.

    Errors: ChildNotFound, ChildRunning, ChildRestarting, NotSupported.
    """

    child: Hashable
    reply: Reply | None = None


class WhichChildren(Request, frozen=True):
    """Result: a list of ChildInfo, in start order. Answered at once, whatever the supervisor is at."""


class CountChildren(Request, frozen=True):
    """Result: ChildCounts. Answered at once, whatever the supervisor is at."""


class ChildInfo(Struct, frozen=True):
    """One child.

    Args:
        id: its id.
        child: its reference; None if it does not run; "restarting" between two attempts.
        type: "worker" or "supervisor".
        ref: its reference; while it is restarting the last one that ran, by which it can still be terminated.
    """

    id: Hashable
    child: pykka.ActorRef[Any] | Literal["restarting"] | None
    type: ChildType
    ref: pykka.ActorRef[Any] | None = None


class ChildCounts(Struct, frozen=True):
    """How many there are: specs; children that run; supervisors and workers among the specs."""

    specs: int
    active: int
    supervisors: int
    workers: int


def counts(infos: list[ChildInfo]) -> ChildCounts:
    """Count them."""
    supervisors = sum(info.type == "supervisor" for info in infos)
    active = sum(info.child is not None and info.child != RESTARTING for info in infos)
    return ChildCounts(len(infos), active, supervisors, len(infos) - supervisors)
