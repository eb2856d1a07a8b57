"""What travels through a pool: a Job is one encoded batch, a Lane is one run's place in the pool."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from slither_actors.wire.frames import CALL, COMMAND, pack_header

if TYPE_CHECKING:
    import pykka

    from slither_actors.pools.slots import Slot

next_request_id = itertools.count(1).__next__
"""Request ids are unique in the process, so that a late reply can match nothing but its own request."""


class Target:
    """What a batch calls: a function that the worker loads first, or a command of its adapter.

    Args:
        module: where a function lives; None for a command.
        name: the function's dotted name, or the command's.
        each: the function takes one payload at a time.
    """

    __slots__ = ("each", "id", "module", "name")

    _ids = itertools.count(1).__next__

    def __init__(self, module: str | None, name: str, each: bool = False) -> None:
        self.module = module
        self.name = name
        self.each = each
        self.id = Target._ids()

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" if self.module is not None else f"command {self.name!r}"


class Job:
    """One batch on its way through a pool. The pool reads these fields and leaves the rest to the run.

    Its body is encoded once; the header is made when it is sent, so a redelivery or a retry sends the same bytes.
    """

    __slots__ = (
        "attempt",
        "avoid",
        "began",
        "body",
        "buffers",
        "cancelled",
        "count",
        "lane",
        "queued",
        "ref",
        "request_id",
        "side",
        "slot",
        "target",
    )  # fmt: skip

    def __init__(self, lane: Lane, ref: int, count: int) -> None:
        self.lane = lane
        self.ref = ref
        self.count = count
        self.attempt = 1
        self.body: bytes = b""
        self.buffers: list[Any] = []
        self.side: bytes = b""
        self.target: Target | None = None
        self.request_id = 0
        self.slot: Slot | None = None
        self.avoid: int | None = None
        self.cancelled = False
        self.queued = 0.0
        self.began = 0.0

    def frame(self) -> list[Any]:
        """The parts of this job's request, its payload not copied."""
        kind = COMMAND if self.target is None or self.target.module is None else CALL
        body, buffers, side = self.body, self.buffers, self.side
        size = sum(map(len, buffers)) if buffers else 0
        head = pack_header(
            kind,
            self.request_id,
            attempt=self.attempt,
            count=self.count,
            side_len=len(side),
            body_len=len(body),
            buffers_len=size,
        )
        if len(body) < 4096 and not buffers:
            return [head + side + body]
        return [head + side, body, *buffers]


class Lane:
    """A run's place in its pool: what it may use, what waits, where its jobs are.

    Args:
        max_in_flight: workers that the run may occupy at a time.
        ahead: whether further jobs may wait in pipes of workers that it occupies.
        timeout: seconds a job may take once it is first in its worker's pipe; None for no bound.
        session: the session id that its jobs carry.
        affinity: "none", "hint", "strict" or "fail_fast"; "none" also where the session id was not given by the caller.
    """

    __slots__ = (
        "affinity", "ahead", "average", "closed", "collector", "describe", "freed", "in_ring", "max_in_flight",
        "occupied", "queue", "served_by", "session", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        *,
        max_in_flight: int,
        ahead: bool,
        timeout: float | None,
        session: str | None = None,
        affinity: str = "none",
        describe: dict[str, Any] | None = None,
    ) -> None:
        self.collector: pykka.ActorRef[Any] = None  # type: ignore[assignment]  # set before anything is sent
        self.max_in_flight = max_in_flight
        self.ahead = ahead
        self.timeout = timeout
        self.session = session
        self.affinity = affinity
        self.describe = describe or {}
        self.queue: deque[Job] = deque()
        self.occupied: Counter[Slot] = Counter()
        self.served_by: set[Slot] = set()
        self.freed: Slot | None = None  # where its last job ended: the first place to look for room
        self.average: float | None = None
        self.closed = False
        self.in_ring = False
