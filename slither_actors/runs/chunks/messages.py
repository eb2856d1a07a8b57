"""The messages between the reader of a stream and its relay."""

from __future__ import annotations

from typing import Protocol, TypeAlias, final

from msgspec import Struct

from slither_actors.pools.assignment.job import Outcomes, Replies
from slither_actors.pools.assignment.stream_job import Chunks
from slither_actors.runs.messages import StreamWasClosed
from slither_actors.wire.header import Frame
from supervisors import Down, Ref

# To the relay


@final
class Taken(Struct, frozen=True):
    """Reader → relay: so many more chunks were handed out."""

    count: int


@final
class CloseStream(Struct, frozen=True):
    """Reader → relay: nothing more of it is wanted."""


RelayMessage: TypeAlias = Chunks | Replies | Outcomes | Taken | CloseStream | Down


# To the reader


@final
class ChunkFrames(Struct, frozen=True):
    """Relay → reader: these chunks have come, still encoded."""

    frames: list[Frame]


@final
class StreamEnd(Struct, frozen=True):
    """Relay → reader: there are no more chunks; `error` if the stream failed."""

    error: BaseException | None


ReaderMessage: TypeAlias = ChunkFrames | StreamEnd | StreamWasClosed


class ReaderInbox(Protocol):
    """Where the relay puts what it has for the reader."""

    def put(self, message: ReaderMessage, /) -> None:
        """Add a message, and wake the reader. From any thread; never blocks."""


class ReaderLink:
    """What a reader and its relay share.

    Attributes:
        relay: of the stream; None before it was started. Written by the thread that starts it.
        taken_at: when the reader took its last chunk, by the scheduler's clock. Written by the reader.
        closed: the reader wants no more.
    """

    __slots__ = ("closed", "relay", "taken_at")

    def __init__(self) -> None:
        self.relay: Ref[RelayMessage] | None = None
        self.taken_at = 0.0
        self.closed = False
