"""The reader's side of a stream, whichever way it waits: chunks out of messages, credit for them, and the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from os import getpid
from sys import is_finalizing
from typing import Any, NoReturn

from slither_actors.chunk_options import ChunkOptions
from slither_actors.errors import (
    FINALIZING,
    DispatchError,
    ForkedSystemError,
    ProtocolError,
    StreamBroken,
    StreamClosed,
    SystemStopped,
)
from slither_actors.runs.chunks.messages import (
    ChunkFrames,
    CloseStream,
    ReaderInbox,
    ReaderLink,
    ReaderMessage,
    StreamEnd,
    Taken,
)
from slither_actors.runs.messages import StreamWasClosed
from slither_actors.runs.output.reply_decoder import ReplyDecoder
from slither_actors.runs.output.unreadable import undecodable
from slither_actors.wire.codec import DecodeError
from slither_actors.wire.header import Frame
from slither_actors.wording import exception_text
from supervisors import Scheduler, WouldDeadlock

Start = Callable[[ReaderInbox, ReaderLink], None]
"""Starts a stream: where its relay puts what it has, and what the two share."""


class ChunkReader:
    """What has been read of one stream, and what is to be done next. For one thread, or one task, at a time.

    Args:
        start: starts it.
        bounds: of the stream.
        now: the scheduler's clock.

    Attributes:
        delivered: chunks that were handed out.
        over: the stream has ended well, and all of it was handed out.
    """

    __slots__ = (
        "__weakref__",
        "_bounds",
        "_bytes",
        "_claimed",
        "_decoder",
        "_frames",
        "_inbox",
        "_link",
        "_now",
        "_owed",
        "_pid",
        "_released",
        "_start",
        "delivered",
        "over",
    )

    def __init__(self, start: Start, bounds: ChunkOptions, now: Callable[[], float]) -> None:
        self._start: Start | None = start
        self._bounds = bounds
        self._now = now
        self._pid = getpid()
        self._link = ReaderLink()
        self._claimed = self._released = False
        self._inbox: ReaderInbox | None = None
        self._frames: deque[Frame] = deque()
        self._decoder = ReplyDecoder()
        self._owed = self._bytes = 0  # handed out, and not returned as credit
        self.delivered = 0
        self.over = False

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has ended."""
        return self._link.closed

    @property
    def ready(self) -> bool:
        """Whether `take` has a chunk."""
        return bool(self._frames)

    def claim(self) -> None:
        """Take the stream for one way of reading it, before `begin`.

        Raises:
            StreamClosed: it was closed.
            RuntimeError: it is read in another way.
            SystemStopped, ForkedSystemError, WouldDeadlock: nothing can be read in this process, or thread.
        """
        if self.closed:
            raise StreamClosed("this stream was closed before it was read")
        if getpid() != self._pid:
            raise ForkedSystemError
        if is_finalizing():
            raise SystemStopped(FINALIZING)
        if Scheduler.current() is not None:
            raise WouldDeadlock("a stream waits for its chunks, and this is a scheduler's thread, which relays them")
        if self._claimed:
            raise RuntimeError("this stream is being read already, in another thread or event loop")
        self._claimed = True

    def begin(self, inbox: ReaderInbox) -> None:
        """Start the stream.

        Raises:
            DispatchError: it cannot be started.
            StreamClosed: it was closed meanwhile.
        """
        self._inbox = inbox
        start, self._start = self._start, None
        if start is not None:
            start(inbox, self._link)
        self._check_open()

    def received(self, message: ReaderMessage) -> None:
        """Take in what the relay has sent.

        Raises:
            DispatchError: the stream failed before its first chunk.
            StreamBroken: it failed after `delivered` chunks.
            StreamClosed: it was closed meanwhile.
        """
        self._check_open()
        if isinstance(message, ChunkFrames):
            self._frames.extend(message.frames)
            return
        assert isinstance(message, StreamEnd)  # the other kind only wakes a reader whose stream was closed
        if message.error is not None:
            self._fail(message.error)
        self.over = True

    def _check_open(self) -> None:
        if self._link.closed:  # by another thread, which may have found no relay
            self._release()
            raise StreamClosed("this stream was closed")

    def take(self) -> Any:
        """Return the next chunk of those that have come, and return credit once it is worth a message.

        Raises:
            StreamBroken, DispatchError: it cannot be decoded here.
            StreamClosed: it was closed meanwhile.
        """
        self._check_open()
        frame = self._frames.popleft()
        try:
            chunk = self._decoder.decode(frame)
        except (DecodeError, ProtocolError) as error:
            self._fail(undecodable(f"chunk {self.delivered}", error))
        self.delivered += 1
        self._link.taken_at = self._now()
        self._owed += 1
        self._bytes += frame.size
        # By halves: a message for each would cost as much as the chunk. A worker that waits has sent as much as it may,
        # so that one of the halves comes before the reader has to wait.
        bounds, relay = self._bounds, self._link.relay
        if relay is not None and (2 * self._owed >= bounds.max_ahead or 2 * self._bytes >= bounds.max_ahead_bytes):
            count, self._owed, self._bytes = self._owed, 0, 0
            relay.tell(Taken(count))
        return chunk

    def _fail(self, cause: BaseException) -> NoReturn:
        """Raise the error of the stream."""
        count = self.delivered
        text = exception_text(cause)
        error: DispatchError
        if count:
            some = f"{count} chunk{'s' if count > 1 else ''}"
            error = StreamBroken(f"the stream broke after {some}: {text}", reason=cause, delivered=count)
        else:
            error = DispatchError(f"the stream failed: {text}", reason=cause)
        try:
            raise error from cause
        finally:
            del error, cause

    def close(self) -> None:
        """Want no more of it: its worker closes the function and is free. From any thread; may be repeated."""
        self._link.closed = True
        self._start = None
        if not self._released:  # else all of this was done, and no interrupt came between
            self._release()

    def _release(self) -> None:
        if is_finalizing():  # all other threads are frozen, perhaps with a mailbox's lock
            return
        relay = self._link.relay
        if relay is not None and getpid() == self._pid:
            relay.tell(CloseStream())
            self._released = True
        if self._inbox is not None:
            self._inbox.put(StreamWasClosed())
