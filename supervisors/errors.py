"""The errors of this package."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pykka

from supervisors.exits import Crashed, ExitReason, Shutdown
from supervisors.wording import shown, text_of

__all__ = [
    "AlreadyPresent",
    "AlreadyRegistered",
    "AlreadyStarted",
    "CallTimeout",
    "ChildError",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "MaxChildren",
    "NotRegistered",
    "NotSupported",
    "RestartBudgetExceeded",
    "SchedulerStopped",
    "SpecError",
    "StartFailed",
    "StartTimeout",
    "SupervisorError",
    "SupervisorStopping",
    "WaitTimeout",
    "WouldDeadlock",
]


class SupervisorError(Exception):
    """Base of the errors of this package."""


class WouldDeadlock(SupervisorError, RuntimeError):
    """A blocking call was made on a scheduler's thread, and so would wait for code that runs on the same thread.

    Use a message (`tell`, `monitor`, a reply function) there instead.
    """


class SchedulerStopped(SupervisorError):
    """The scheduler has been stopped: no actor can be started on it."""


class WaitTimeout(SupervisorError, pykka.Timeout, TimeoutError):
    """A wait for an actor was over before the actor answered, started or ended.

    It is a `pykka.Timeout` and a `TimeoutError`, whichever of the two the caller expects.
    """


class CallTimeout(WaitTimeout):
    """An actor has not answered a call in time. It may still handle the message later; that answer is dropped."""


class StartTimeout(SupervisorError, TimeoutError):
    """A child has not started within the `start_timeout` of its spec, and was killed.

    Args:
        child_id: the child's id.
        seconds: the limit.
    """

    def __init__(self, child_id: object, seconds: float) -> None:
        super().__init__(child_id, seconds)
        self.child_id = child_id
        self.seconds = seconds

    def __str__(self) -> str:
        return f"child {shown(self.child_id)} has not started within its start_timeout of {self.seconds:g} s"


class StartFailed(SupervisorError):
    """An actor, or a child of a supervisor, did not start.

    Args:
        child_id: the child's id; None for an actor that has no supervisor.
        reason: its exit reason. `cause` is the original exception, if there is one.
    """

    def __init__(self, child_id: object, reason: ExitReason) -> None:
        super().__init__(child_id, reason)
        self.child_id = child_id
        self.reason = reason
        if isinstance(reason, Crashed):
            self.__cause__ = reason.exception

    @property
    def cause(self) -> BaseException | None:
        """The innermost exception: of nested supervisors that failed to start, that of the lowest child."""
        cause = self.reason.exception if isinstance(self.reason, Crashed) else None
        return cause.cause if isinstance(cause, StartFailed) else cause

    def __str__(self) -> str:
        who = "the actor" if self.child_id is None else f"child {shown(self.child_id)}"
        return f"{who} failed to start: {_describe(self.reason)}"


class RestartBudgetExceeded(SupervisorError):
    """A supervisor gave up: more restarts than `max_restarts` within `max_seconds`.

    Found as the `term` of the supervisor's exit reason, `Shutdown(RestartBudgetExceeded(...))`.

    Args:
        child_id: the child whose restart exceeded the budget.
        last_reason: the last exit reason of that child.
    """

    def __init__(self, child_id: object, last_reason: ExitReason) -> None:
        super().__init__(child_id, last_reason)
        self.child_id = child_id
        self.last_reason = last_reason

    def __str__(self) -> str:
        return (
            f"restart budget exceeded by child {shown(self.child_id)}, "
            f"which last ended with {_describe(self.last_reason)}"
        )


class SupervisorStopping(SupervisorError):
    """The supervisor is stopping and takes no requests."""


class SpecError(SupervisorError, ValueError):
    """Child specs that contradict each other or their supervisor's options."""


class ChildError(SupervisorError):
    """An administrative request named a child in a state that does not allow it.

    Args:
        child_id: the id, or the reference, in the request.
    """

    _sentence = "cannot be done for child {}"

    def __init__(self, child_id: object) -> None:
        super().__init__(child_id)
        self.child_id = child_id

    def __str__(self) -> str:
        return self._sentence.format(shown(self.child_id))


class AlreadyStarted(ChildError):
    """start_child: a child with that id is running (or being restarted). `ref` is its reference, if it has one."""

    _sentence = "child {} is already started"

    def __init__(self, child_id: object, ref: pykka.ActorRef[Any] | None = None) -> None:
        super().__init__(child_id)
        self.ref = ref


class AlreadyPresent(ChildError):
    """start_child: a spec with that id exists, without a running child. Use restart_child or delete_child."""

    _sentence = "a spec for child {} is already present, though it is not running"


class ChildNotFound(ChildError):
    """There is no such child.

    Args:
        child_id: the id, or the reference, in the request.
        rule: how requests name the children of this supervisor.
    """

    _sentence = "no child {}"

    def __init__(self, child_id: object, rule: str = "") -> None:
        super().__init__(child_id)
        self.rule = rule

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.rule}" if self.rule else super().__str__()


class ChildRunning(ChildError):
    """restart_child, delete_child: the child is running. Terminate it first."""

    _sentence = "child {} is running"


class ChildRestarting(ChildError):
    """restart_child, delete_child: the supervisor is trying to restart that child."""

    _sentence = "child {} is being restarted"


class MaxChildren(ChildError):
    """start_child: the dynamic supervisor has `max_children` children already."""

    _sentence = "no room for child {}: max_children reached"


class NotSupported(ChildError):
    """A dynamic supervisor does not restart or delete children by name."""

    _sentence = "a dynamic supervisor cannot do this for child {}: its children have no specs of their own"


class AlreadyRegistered(SupervisorError):
    """The name belongs to a live actor, or to the spec of a child.

    Args:
        name: the name.
        ref: the actor that has it; None while the child that it belongs to does not run.
        holder: its holder, in words.
        wanted: the actor or child that asked for it, in words.
    """

    def __init__(self, name: Hashable, ref: pykka.ActorRef[Any] | None, holder: str = "", wanted: str = "") -> None:
        super().__init__(name, ref)
        self.name = name
        self.ref = ref
        self.holder = holder
        self.wanted = wanted

    def __str__(self) -> str:
        text = f"the name {shown(self.name)} belongs to {self.holder or self.ref}"
        return f"{text}, so {self.wanted} cannot have it; give one of them another name" if self.wanted else text


class NotRegistered(SupervisorError, LookupError):
    """No actor has that name now; the message says whether one will have it again.

    Args:
        name: the name.
        holder: the child with this name in its spec, in words; empty if there is none.
    """

    def __init__(self, name: Hashable, holder: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.holder = holder

    def __str__(self) -> str:
        if self.holder:
            return f"the name {shown(self.name)} belongs to {self.holder}, which does not run now"
        return f"no actor has the name {shown(self.name)}"


def _describe(reason: ExitReason) -> str:
    """Return the reason in words: of nested supervisors that gave up, the last reason of the lowest child."""
    while isinstance(reason, Shutdown) and isinstance(reason.term, RestartBudgetExceeded):
        reason = reason.term.last_reason
    if isinstance(reason, Crashed):
        exception = reason.exception
        return f"{type(exception).__name__}: {text_of(exception)}"
    return shown(reason)
