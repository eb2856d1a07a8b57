"""The life of a worker as a table: in which state which kinds of frames may go and come."""

from __future__ import annotations

from .frames import (
    CALL,
    CANCEL,
    CANCELLED,
    COMMAND,
    FAILURE,
    FORGET,
    FREED,
    HELLO,
    KIND_NAMES,
    LOAD,
    LOADED,
    PING,
    PONG,
    READY,
    REPLY,
    RETIRE,
    STOP,
    ProtocolError,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

SPAWNED: Final = "spawned"
STARTING: Final = "starting"
READY_STATE: Final = "ready"
STOPPING: Final = "stopping"
DEAD: Final = "dead"

STATES: Final = (SPAWNED, STARTING, READY_STATE, STOPPING, DEAD)

_ANSWERS: Final = frozenset({LOADED, REPLY, FAILURE, CANCELLED, PONG, RETIRE})

SENDABLE: Final[Mapping[str, frozenset[int]]] = {
    SPAWNED: frozenset({HELLO}),
    STARTING: frozenset({STOP}),
    READY_STATE: frozenset({LOAD, CALL, COMMAND, CANCEL, PING, STOP, FORGET, FREED}),
    STOPPING: frozenset(),
    DEAD: frozenset(),
}
"""What the host may send in each state."""

RECEIVABLE: Final[Mapping[str, frozenset[int]]] = {
    SPAWNED: frozenset(),
    STARTING: frozenset({READY, FAILURE}),
    READY_STATE: _ANSWERS,
    # A stop crosses what is under way: the answers to earlier requests, or the end of the start.
    STOPPING: _ANSWERS | {READY},
    DEAD: frozenset(),
}
"""What may come from the worker in each state."""

ON_SENT: Final[Mapping[tuple[str, int], str]] = {
    (SPAWNED, HELLO): STARTING,
    (STARTING, STOP): STOPPING,
    (READY_STATE, STOP): STOPPING,
}
"""The state after sending a kind, where that changes it."""

ON_RECEIVED: Final[Mapping[tuple[str, int], str]] = {
    (STARTING, READY): READY_STATE,
    (STARTING, FAILURE): STOPPING,  # a worker whose start failed ends by itself
    (READY_STATE, RETIRE): STOPPING,  # and so does one that is to be replaced
}
"""The state after receiving a kind, where that changes it."""


class Lifecycle:
    """Where one worker is in its life, as its host sees it."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: str = SPAWNED

    def sent(self, kind: int) -> None:
        """A frame of this kind goes to the worker.

        :raises RuntimeError: it may not in this state; a fault of the host's own.
        """
        if kind not in SENDABLE[self.state]:
            raise RuntimeError(f"a {KIND_NAMES.get(kind, kind)} frame is not sent to a worker that is {self.state}")
        self.state = ON_SENT.get((self.state, kind), self.state)

    def received(self, kind: int) -> None:
        """A frame of this kind came from the worker.

        :raises ProtocolError: reason ``state``: it may not in this state.
        """
        if kind not in RECEIVABLE[self.state]:
            raise ProtocolError("state", f"a {KIND_NAMES.get(kind, kind)} frame came from a {self.state} worker")
        self.state = ON_RECEIVED.get((self.state, kind), self.state)

    def exited(self) -> None:
        """The process has ended and its pipe was read to the end."""
        self.state = DEAD
