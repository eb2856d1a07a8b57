"""The messages of supervisors: send them with `tell` from any thread; `client` has functions that wait."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Literal

import pykka
from msgspec import Struct

from supervisors.actors.lifecycle import Down
from supervisors.supervision.child_spec import ChildSpec, ChildType

__all__ = [
    "ChildCounts",
    "ChildInfo",
    "ChildState",
    "CountChildren",
    "CountReply",
    "DeleteChild",
    "DoneReply",
    "InfoReply",
    "RestartChild",
    "StartChild",
    "StartReply",
    "SupervisorMessage",
    "TerminateChild",
    "WhichChildren",
    "counts",
]

ChildState = Literal["stopped", "starting", "running", "stopping", "exited", "restarting"]

# A reply function is called once, on the supervisor's scheduler thread, with the result or with an exception instance.
# It is not called if the supervisor is dead when the message arrives.
StartReply = Callable[[pykka.ActorRef[Any] | BaseException | None], object]
DoneReply = Callable[[BaseException | None], object]
InfoReply = Callable[["list[ChildInfo] | BaseException"], object]
CountReply = Callable[["ChildCounts | BaseException"], object]


class StartChild(Struct, frozen=True):
    """Add a child. Result: its reference, once it has started; None if it answered IGNORE.

    Errors: AlreadyStarted, AlreadyPresent, MaxChildren, StartFailed, SpecError.
    """

    spec: ChildSpec
    reply: StartReply | None = None


class TerminateChild(Struct, frozen=True):
    """Stop a child, named by id (for a dynamic supervisor by reference). Result: None. Errors: ChildNotFound.

    While a dynamic supervisor restarts a child, the child's last reference still names it, and so does that of the last
    start that has failed.
    """

    child: Hashable
    reply: DoneReply | None = None


class RestartChild(Struct, frozen=True):
    """Start a child that does not run. Result: its reference, or None if it answered IGNORE.

    Errors: ChildNotFound, ChildRunning, ChildRestarting, StartFailed, NotSupported.
    """

    child: Hashable
    reply: StartReply | None = None


class DeleteChild(Struct, frozen=True):
    """Delete the spec of a child that does not run. Result: None.

    Errors: ChildNotFound, ChildRunning, ChildRestarting, NotSupported.
    """

    child: Hashable
    reply: DoneReply | None = None


class WhichChildren(Struct, frozen=True):
    """List the children in start order. Answered at once, also in the middle of another request."""

    reply: InfoReply | None = None


class CountChildren(Struct, frozen=True):
    """Count the children. Answered at once, also in the middle of another request."""

    reply: CountReply | None = None


SupervisorMessage = StartChild | TerminateChild | RestartChild | DeleteChild | WhichChildren | CountChildren | Down
"""All messages that a supervisor handles: the argument of ``Ref[SupervisorMessage]``."""


class ChildInfo(Struct, frozen=True):
    """One child of a supervisor.

    Args:
        id: its id.
        child: its reference; None while it has no actor.
        type: "worker" or "supervisor".
        state: "running", "starting", "stopping", "stopped", "exited" (its end has not been handled yet) or
            "restarting" (it waits for its next start).
        ref: its reference; while it is restarting that of its last actor, by which it can still be terminated.
    """

    id: Hashable
    child: pykka.ActorRef[Any] | None
    type: ChildType
    state: ChildState
    ref: pykka.ActorRef[Any] | None = None


class ChildCounts(Struct, frozen=True):
    """Numbers of children: specs; children that have an actor; supervisors and workers among the specs."""

    specs: int
    active: int
    supervisors: int
    workers: int


def counts(infos: list[ChildInfo]) -> ChildCounts:
    """Return how many children the list has of each kind."""
    supervisors = sum(info.type == "supervisor" for info in infos)
    active = sum(info.child is not None for info in infos)
    return ChildCounts(len(infos), active, supervisors, len(infos) - supervisors)
