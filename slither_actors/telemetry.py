"""Telemetry: handlers for what happens to batches. Events without an attached handler are never built.

Handlers run one after the other on one side thread of the System, with a bounded queue: a slow one delays no batch, it
loses events (counted in the System's statistics). One that raises is detached: that is logged once, and a System's
`health()` shows it; events that wait for a handler which was detached are dropped.

====================================  ================================  ============================================
event                                 measurements (times: seconds)     metadata, beside the common ones
====================================  ================================  ============================================
``slither.dispatch.batch.start``      time, size, queue_time
``slither.dispatch.batch.stop``       time, size, queue_time, duration  outcome: "ok"
``slither.dispatch.batch.exception``  time, size, queue_time, duration  outcome: what the policy made of it; reason:
                                                                        the exception; cause: its type, of the
                                                                        worker's exception where it is that
====================================  ================================  ============================================

``time`` is when it happened, in seconds since the epoch. ``duration`` is what the user's function took, as its worker
has measured it; where the worker cannot say it, as it died or was killed, the time that the host waited for it.

Common to the events of batches: ``run``, ``batch_ref``, ``attempt``, ``executor``, ``pipe``, ``stage``; ``pool`` (None:
an inline executor), ``worker`` (its index in the pool; None: an inline executor, or the batch went to no worker),
``node`` (the name of the machine where it runs) and ``closed_by``, why the batch has no more items: "full", "linger",
"end" (of the source), "window" (all that may be pulled was), "split" or "retry" (rebuilt from one that failed).

``slither.supervisor.exit``, ``.restart`` and ``.budget_exceeded`` tell of actors: ``time``, and as metadata what the
log records of `supervisors` have (actor, urn, reason, started; supervisor, child, reason, delay).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct

from slither_actors.errors import OptionTypeError
from slither_actors.validation.callbacks import check_call
from slither_actors.validation.checks import choice, function
from slither_actors.wording import shown

BATCH_START: Final = "slither.dispatch.batch.start"
BATCH_STOP: Final = "slither.dispatch.batch.stop"
BATCH_EXCEPTION: Final = "slither.dispatch.batch.exception"

ACTOR_EXIT: Final = "slither.supervisor.exit"
ACTOR_RESTART: Final = "slither.supervisor.restart"
BUDGET_EXCEEDED: Final = "slither.supervisor.budget_exceeded"

MOST_DETACHED = 100
"""Handlers that were detached because they raised: so many are remembered, the latest."""

_logger = logging.getLogger("slither_actors.telemetry")

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

    __slots__ = ("attached", "event", "handler")

    def __init__(self, event: str, handler: Handler) -> None:
        self.event = event
        self.handler = handler
        self.attached = True

    def deliver(self, event: Event) -> None:
        """Call the handler, unless it was detached meanwhile; detach it if it raises. On the side thread."""
        if not self.attached:
            return
        try:
            self.handler(event)
        except BaseException as error:
            if detach(self):
                _raised(self, error)

    def detach(self) -> bool:
        """See :func:`detach`."""
        return detach(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        detach(self)


class DetachedHandler(Struct, frozen=True):
    """A handler that was detached because it raised.

    Args:
        event: what it was attached to.
        handler: its name, for people.
        reason: what it raised, for people.
    """

    event: str
    handler: str
    reason: str


_detached: deque[DetachedHandler] = deque(maxlen=MOST_DETACHED)


def detached_handlers() -> tuple[DetachedHandler, ...]:
    """Return the handlers that were detached because they raised, the latest last; each once."""
    return tuple(_detached)


def _name(handler: Handler) -> str:
    return str(getattr(handler, "__qualname__", None) or shown(handler))


def _raised(handle: Handle, error: BaseException) -> None:
    try:
        found = DetachedHandler(handle.event, _name(handle.handler), f"{type(error).__name__}: {shown(str(error))}")
    except BaseException:  # a __str__ of the user's that raises as well
        found = DetachedHandler(handle.event, type(handle.handler).__name__, type(error).__name__)
    if found not in _detached:
        _detached.append(found)
    _logger.error(
        "The telemetry handler %s raised at %s and is detached: %s",
        found.handler,
        found.event,
        found.reason,
        exc_info=error,
    )


@cache
def node() -> str:
    """Return the name of this machine, as the events have it."""
    return os.uname().nodename


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
    for found in detached_handlers():
        if found.event == name and found.handler == _name(handler):  # a corrected one of the same name
            with contextlib.suppress(ValueError):
                _detached.remove(found)
    return handle


def detach(handle: Handle) -> bool:
    """Detach a handler; its pending events are dropped.

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
        handle.attached = False
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
        submit: ``submit(deliver, event)`` has `deliver` called elsewhere, and neither blocks nor raises.
    """
    handles = _handles.get(event)
    if handles:
        built = Event(event, measurements, metadata)
        for handle in handles:
            submit(handle.deliver, built)
