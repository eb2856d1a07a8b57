"""A channel to which several threads write."""

from __future__ import annotations

import os
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slither_actors.wire.header import Frame

    from .channel import Channel


class SharedChannel:
    """The writing half of a `Channel`, one frame at a time. Its reading half stays with one thread.

    Args:
        channel: the channel.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._new_lock()
        os.register_at_fork(after_in_child=self._new_lock)

    def _new_lock(self) -> None:
        """Take a lock that no thread holds: those of the parent are not in a forked child."""
        self._lock = Lock()

    @property
    def max_frame(self) -> int:
        """Most bytes of a frame, in both directions."""
        return self._channel.max_frame

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        """Send a plain reply, as `Channel.reply` does."""
        with self._lock:
            self._channel.reply(request_id, attempt, count, body, took)

    def write(self, kind: int, request_id: int, body: bytes = b"", **sections: Any) -> None:
        """Send one frame, as `Channel.write` does."""
        with self._lock:
            self._channel.write(kind, request_id, body, **sections)

    def freed(self, frame: Frame) -> None:
        """Handle memory that the host has copied out or dropped, as `Channel.freed` does."""
        with self._lock:
            self._channel.freed(frame)

    def end_in_fork(self) -> None:
        """End the process if it is a child that a function has forked."""
        self._channel.end_in_fork()
