"""A load: the request ahead of the first batch of a function that is new to a worker."""

from __future__ import annotations

from typing import final

from slither_actors.pools.assignment.job import next_request_id
from slither_actors.pools.assignment.target import Target
from slither_actors.wire import messages as wire
from slither_actors.wire.header import LOAD, pack_frame


@final
class LoadRequest:
    """A request of its own ahead of the first batch of a function, with a clock of its own."""

    __slots__ = ("request_id", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.request_id = next_request_id()

    def unwanted(self) -> bool:
        """Return False: what is loaded serves others, too."""
        return False

    def frame(self) -> bytes:
        """Return its frame."""
        target = self.target
        body = wire.Load(target.id, target.module or "", target.name, target.each).to_body()
        return pack_frame(LOAD, self.request_id, body)
