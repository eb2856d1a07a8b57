"""The encoders of requests with one set of options: each is used by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable

from slither_actors.requests.lane import Lane
from slither_actors.runs.input.request_encoder import RequestEncoder


class Encoders:
    """Encoders that are not in use. For any thread.

    Args:
        make: returns a new one.
    """

    __slots__ = ("_idle", "_make")

    def __init__(self, make: Callable[[], RequestEncoder]) -> None:
        self._make = make
        self._idle: list[tuple[Lane, RequestEncoder]] = []

    def take(self, lane: Lane) -> RequestEncoder:
        """Return one for this lane, that no other thread has, nor this one below a signal handler."""
        try:
            known, encoder = self._idle.pop()
            if known is lane:  # the memory that a pool shares with its workers is another one after a restart
                return encoder
        except IndexError:
            pass
        return self._make()

    def give_back(self, lane: Lane, encoder: RequestEncoder) -> None:
        """Keep it for the next request of this lane."""
        self._idle.append((lane, encoder))
