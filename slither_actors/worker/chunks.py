"""Executing a stream: a function that yields, whose values go to the host one by one. Loaded with the first stream."""

from __future__ import annotations

import sys
from time import perf_counter_ns

from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.codec import encode
from slither_actors.wire.extension_codes import EncodeError
from slither_actors.wire.frames import CANCELLED, CHUNK, HEADER_SIZE

from .event_loop import event_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from slither_actors.wire.codec import Encoder
    from slither_actors.wire.frames import Frame

    from .channel import Channel
    from .shared_channel import SharedChannel

# Nanoseconds between two looks for what the host has sent, while there is credit.
_LOOK_AGAIN: Final = 500_000
_NOTHING: Final = encode(None)


class Stream:
    """A stream in execution, as far as the host may change it.

    Args:
        request_id: of its request.
        window: how far its function may be ahead.
    """

    __slots__ = ("cancelled", "request_id", "window")

    def __init__(self, request_id: int, window: ChunkWindow) -> None:
        self.request_id = request_id
        self.window = window
        self.cancelled = False
        """The host wants no more of it."""

    def credit(self, frame: Frame) -> None:
        """Count chunks that have reached the reader; those of another stream, which is over, count for nothing."""
        if frame.request_id == self.request_id:
            self.window.took(frame.count)


class ChunkSender:
    """Drives the generators of streams, one after the other, and sends what they yield.

    Args:
        channel: to the host.
        encoder: of values.
        serve: takes what the host has sent for a stream; waits for it if told to.
        fail: answers a request with a failure: frame, kind, exception, nanoseconds.
    """

    def __init__(
        self,
        channel: Channel | SharedChannel,
        encoder: Encoder,
        serve: Callable[[Stream, bool], None],
        fail: Callable[[Frame, str, BaseException, int], None],
    ) -> None:
        self._channel = channel
        self._encoder = encoder
        self._serve = serve
        self._fail = fail
        self._took = 0  # nanoseconds in the function so far

    def execute(self, frame: Frame, stream: Stream, function: Callable[[Any], Any], payload: Any) -> None:
        """Execute a stream to its end: a reply, a failure, or a cancelled frame after its chunks.

        Raises:
            HostGoneError, StopError: the host is gone, or wants the worker to end; the generator is closed first.
        """
        self._took = 0
        began = perf_counter_ns()
        try:
            chunks = function(payload)
        except SystemExit:
            raise
        except BaseException as error:
            self._fail(frame, "user", error, perf_counter_ns() - began)
            return
        if hasattr(type(chunks), "__anext__"):
            chunks = _Awaited(chunks)
        elif not hasattr(type(chunks), "__next__"):
            self._fail(frame, "unexpected", _no_chunks(chunks), perf_counter_ns() - began)
            return
        wrong: tuple[str, BaseException] | None = None
        try:
            wrong = self._send_all(frame, stream, chunks)
        finally:
            # Before the answer: the worker is free, and the reader hears of an end, when all that the function has to
            # do at its end is done.
            began = perf_counter_ns()
            _close(chunks)
            self._took += perf_counter_ns() - began
        if wrong is not None:
            self._fail(frame, *wrong, self._took)
        elif stream.cancelled:
            self._channel.write(CANCELLED, frame.request_id, attempt=frame.attempt)
        else:
            self._channel.reply(frame.request_id, frame.attempt, 1, _NOTHING, self._took)

    def _send_all(self, frame: Frame, stream: Stream, chunks: Any) -> tuple[str, BaseException] | None:
        """Send chunks until there are no more, or the host wants none; the kind of failure and the error, if one."""
        window, clock = stream.window, perf_counter_ns
        count = 0
        look_at = clock() + _LOOK_AGAIN
        while True:
            began = clock()
            try:
                chunk = next(chunks)
            except StopIteration:
                self._took += clock() - began
                return None
            except SystemExit:
                raise
            except BaseException as error:
                self._took += clock() - began
                return "user", error
            now = clock()
            self._took += now - began
            try:
                size = self._send(frame, count, chunk, now - began)
            except EncodeError as error:
                return "encode", error
            del chunk  # or its memory would be held while it waits
            count += 1
            window.sent(size)
            if now >= look_at or not window.open:
                self._serve(stream, False)
                while not (window.open or stream.cancelled):
                    self._serve(stream, True)
                if stream.cancelled:
                    return None
                look_at = clock() + _LOOK_AGAIN

    def _send(self, frame: Frame, number: int, chunk: object, took: int) -> int:
        """Send a chunk. Returns how many bytes its frame has.

        Raises:
            EncodeError: it has no form on the wire, or is larger than a frame may be.
        """
        try:
            body, buffers = self._encoder.encode(chunk)
        except EncodeError as error:
            raise EncodeError(f"chunk {number}{error.path}", error.reason) from None
        except SystemExit:
            raise
        except BaseException as error:  # what a tzinfo of the user's raises
            raise EncodeError(f"chunk {number}", f"{type(error).__name__}: {error}") from error
        size = HEADER_SIZE + len(body) + sum(map(len, buffers))
        most = self._channel.max_frame
        if size > most:
            raise EncodeError(f"chunk {number}", f"it takes {size} bytes, max_frame is {most}; yield smaller pieces")
        self._channel.write(
            CHUNK,
            frame.request_id,
            body,
            buffers=buffers,
            shared=self._encoder.copied,
            attempt=frame.attempt,
            count=1,
            took=took,
        )
        return size


class _Awaited:
    """The chunks of an async generator, each awaited on the worker's event loop, which stands still in between."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks

    def __next__(self) -> Any:
        try:
            return event_loop.run(self._chunks.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Close it, if it can be: then its ``finally`` blocks run, which may await."""
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            event_loop.run(close())


def _no_chunks(value: object) -> TypeError:
    """Return the error for what a function has returned instead of chunks."""
    from . import hints
    from .exception_record import type_name

    name = type_name(type(value))
    remedy = (
        hints.about_async(value)
        if hints.is_async(value)
        else "; yield the chunks, or call the function by run or call_batch"
    )
    hints.close(value)
    return TypeError(f"stream_one needs a function that yields its chunks, this one returned a {name}{remedy}")


def _close(chunks: Any) -> None:
    """Close a generator, so that its ``finally`` blocks run; what it raises then is written to stderr."""
    close = getattr(chunks, "close", None)
    if close is None:
        return
    try:
        close()
    except SystemExit:
        raise
    except BaseException:
        sys.excepthook(*sys.exc_info())
