"""A stream on its way through a pool: a job whose results come in chunks, and the messages about these."""

from __future__ import annotations

from typing import final

from msgspec import Struct

from slither_actors.pools.assignment.job import Job
from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.header import Frame
from supervisors import Ref


@final
class StreamJob(Job, kw_only=True, eq=False):
    """A job whose function yields: chunks come before its outcome.

    Args:
        receiver: gets the chunks.
        window: how far the worker may be ahead of the reader. Scheduler's thread only.
        arrived: chunks that have come.
    """

    receiver: Ref[Chunks]
    window: ChunkWindow
    arrived: int = 0

    def unwanted(self) -> bool:
        """Return whether its worker is to be killed; not while it waits for its reader, where it is closed at once."""
        return self.cancelled and self.run_queue.kill and self.window.open


@final
class Chunks(Struct, frozen=True):
    """Executor → the receiver of a stream: these chunks have come.

    Args:
        job: of the stream.
        frames: in order.
        worker: where `Credit` for them goes.
    """

    job: StreamJob
    frames: list[Frame]
    worker: Ref[Credit]


@final
class Credit(Struct, frozen=True):
    """The receiver of a stream → Executor: so many more of its chunks have reached the reader."""

    job: StreamJob
    count: int
