"""Telemetry: handlers for what happens to batches. Events that nobody attached to are never built.

Handlers run one after the other on one side thread of the System, with a bounded queue: a slow one delays no batch, it
loses events (counted in the System's statistics). What a handler raises is logged.

====================================  ==============================  ==============================================
event                                 measurements (times: seconds)   metadata, beside run, batch_ref, attempt,
                                                                      executor, pipe and stage
====================================  ==============================  ==============================================
``slither.dispatch.batch.start``      size, queue_time                pool
``slither.dispatch.batch.stop``       size, queue_time, duration      outcome: "ok"
``slither.dispatch.batch.exception``  size, queue_time, duration      outcome: what the policy made of it; reason
====================================  ==============================  ==============================================

``slither.supervisor.exit``, ``.restart`` and ``.budget_exceeded`` tell of actors: no measurements, and as metadata what
the log records of `supervisors` have (actor, urn, reason, started; supervisor, child, reason, delay).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct

from slither_actors.callbacks import check_call
from slither_actors.checks import choice, function
from slither_actors.errors import OptionTypeError
from slither_actors.wording import shown

BATCH_START: Final = "slither.dispatch.batch.start"
BATCH_STOP: Final = "slither.dispatch.batch.stop"
BATCH_EXCEPTION: Final = "slither.dispatch.batch.exception"

ACTOR_EXIT: Final = "slither.supervisor.exit"
ACTOR_RESTART: Final = "slither.supervisor.restart"
BUDGET_EXCEEDED: Final = "slither.supervisor.budget_exceeded"

EVENTS: Final = (BATCH_START, BATCH_STOP, BATCH_EXCEPTION, ACTOR_EXIT, ACTOR_RESTART, BUDGET_EXCEEDED)
"""The events that there are."""


class Event(Struct, frozen=True):
    """Something that happened.

    Args:
        name: one of `EVENTS`.
        measurements: numbers: how many, how long (in seconds).
        metadata: what it happened to.
    """

    name: str
    measurements: Mapping[str, float]
    metadata: Mapping[str, Any]


Handler = Callable[[Event], object]


class Handle:
    """An attached handler; as a context manager it detaches at the end."""

    __slots__ = ("event", "handler")

    def __init__(self, event: str, handler: Handler) -> None:
        self.event = event
        self.handler = handler

    def detach(self) -> bool:
        """See :func:`detach`."""
        return detach(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        detach(self)


# One table a process, replaced entry by entry under the lock and read without it.
_handles: dict[str, tuple[Handle, ...]] = {}
_lock = threading.Lock()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # the parent's may have been held at the fork


os.register_at_fork(after_in_child=_after_fork_in_child)


def attach(event: str, handler: Handler) -> Handle:
    """Call ``handler(event)`` at every event of this name, from now on.

    The same handler may be attached twice, and is then called twice.

    Args:
        event: one of `EVENTS`.
        handler: gets an :class:`Event`.

    Returns:
        What :func:`detach` takes.

    Raises:
        OptionError: there is no such event (names those that there are), or the handler is no function that can be
            called so.
    """
    name = choice("event", event, EVENTS)
    handle = Handle(name, function("handler", handler, "lambda event: print(event)"))
    check_call("handler", handler, ("event",))
    with _lock:
        _handles[name] = (*_handles.get(name, ()), handle)
    return handle


def detach(handle: Handle) -> bool:
    """Call a handler no more, but for events that are on their way to it.

    Args:
        handle: what :func:`attach` returned.

    Returns:
        False if it was detached already.

    Raises:
        OptionTypeError: it is no such handle.
    """
    if not isinstance(handle, Handle):
        raise OptionTypeError(f"detach takes what attach returned, not {shown(handle)}")
    with _lock:
        held = _handles.get(handle.event, ())
        rest = tuple(other for other in held if other is not handle)
        if rest:
            _handles[handle.event] = rest
        else:
            _handles.pop(handle.event, None)
    return len(rest) < len(held)


def attached(event: str) -> bool:
    """Whether anybody wants this event: asked for each batch before its event is built, so one look-up in a dict."""
    return event in _handles


def wanted() -> bool:
    """Whether anybody wants any event."""
    return bool(_handles)


def emit(
    event: str,
    measurements: Mapping[str, float],
    metadata: Mapping[str, Any],
    submit: Callable[..., object],
) -> None:
    """Give an event to its handlers.

    Args:
        event: its name.
        measurements: of the event.
        metadata: of the event.
        submit: ``submit(handler, event)`` has the handler called elsewhere, and neither blocks nor raises.
    """
    handles = _handles.get(event)
    if handles:
        built = Event(event, measurements, metadata)
        for handle in handles:
            submit(handle.handler, built)
