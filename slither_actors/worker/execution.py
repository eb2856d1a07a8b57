"""Executing requests: the loaded functions, the adapter's commands, and the replies to both."""

from __future__ import annotations

import sys
from time import monotonic_ns, perf_counter_ns

from slither_actors.wire.codec import Encoder, decode
from slither_actors.wire.extension_codes import DecodeError, EncodeError
from slither_actors.wire.frames import (
    CALL,
    CANCELLED,
    COMMAND,
    FAILURE,
    FORGET,
    HEADER_SIZE,
    LOAD,
    LOADED,
    REPLY,
    STREAM,
    LostFrame,
)
from slither_actors.wire.messages import Failure, Load, parse_call_side, parse_stream_side, reply_side

from .cursor import INDEX, SINCE, cursor
from .event_loop import plain
from .state import sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Final

    from slither_actors.wire.frames import Frame

    from .channel import Channel
    from .chunks import ChunkSender, Stream
    from .cursor import Cursor
    from .shared_channel import SharedChannel

    # the function, and whether it takes one payload at a time
    Target = tuple[Callable[[Any], Any], bool]

# Sides of calls without session are few: one a target. Those with one are as many as there are sessions.
_MAX_SIDES: Final = 256

# Nanoseconds between two looks for a cancel in the middle of a batch.
_LOOK_AGAIN: Final = 500_000

# Most bytes that a list of failures takes beside them and their indexes.
_TABLE: Final = 5


class Execution:
    """Executes one request after the other and sends its answer.

    What a function raises becomes a failure frame, whatever it is: a cancelled asyncio task, an interrupt or a panic of
    an extension says nothing against the worker. Only ``SystemExit`` leaves :meth:`execute`, as it asks for the exit.

    Args:
        between: called now and then between two items of a request; serves the host, and says whether it has cancelled
            that one.
        serve: called between two chunks of a stream; takes what the host has sent, and waits for it if told to.
        at: where it notes how far it is; None: in the one cursor of this worker.
        begin: called with the session of each call; None: `begin` of the one `sessions` of this worker.
    """

    def __init__(
        self,
        channel: Channel | SharedChannel,
        between: Callable[[int], bool] = lambda request_id: False,
        serve: Callable[[Stream, bool], None] = lambda stream, wait: None,
        at: Cursor | None = None,
        begin: Callable[[str | None], None] | None = None,
    ) -> None:
        self._channel: Channel | SharedChannel = channel
        self._between = between
        self._serve = serve
        self._sender: ChunkSender | None = None
        self._cursor = cursor if at is None else at
        self._begin = sessions.begin if begin is None else begin
        self._surely_fits = 512  # bytes; known once max_frame is
        self._targets: dict[int, Target] = {}
        self._sides: dict[bytes, Target] = {}
        self._encoder = Encoder()
        self._encode = self._encoder.encode
        self._took = 0  # nanoseconds that the user's function took, for the answer in hand
        self.commands: dict[str, Callable[[Any], Any]] | None = None
        """The adapter's methods by command; None: there is no adapter."""

    def answer_by(self, channel: Channel | SharedChannel) -> None:
        """Send all answers from now on by this channel."""
        self._channel = channel

    def most(self, max_frame: int) -> None:
        """Set how many bytes a frame may have."""
        self._surely_fits = max_frame - HEADER_SIZE

    def execute(self, frame: Frame) -> None:
        """Execute a request.

        Raises:
            HostGoneError: the host is gone.
            ProtocolError: it is malformed.
        """
        kind = frame.kind
        self._took = 0
        if type(frame) is LostFrame:
            self._lost(frame)
        elif kind == CALL:
            self._call(frame)
        elif kind == COMMAND:
            self._command(frame)
        elif kind == LOAD:
            self._load(frame)
        elif kind == STREAM:
            self._stream(frame)
        else:
            sessions.forget(decode(frame.body))

    def _lost(self, frame: Frame) -> None:
        """Report a request that does not fit into the memory left as failed; those around it have not."""
        if frame.kind != FORGET:
            error = MemoryError(f"there is no memory for the {frame.size} bytes of this request; use smaller batches")
            self.fail(frame, "decode", error)

    def _load(self, frame: Frame) -> None:
        load = Load.from_body(frame.body)
        try:
            function = resolve(load.module, load.function)
            if not callable(function):
                raise TypeError(f"{load.module}.{load.function} is a {type(function).__name__}, not a function")
        except BaseException as error:
            self.fail(frame, "load", error)
            return
        self._targets[load.target] = (plain(function), load.each)
        self._sides.clear()
        self._channel.write(LOADED, frame.request_id)

    def _call(self, frame: Frame) -> None:
        target = self._sides.get(frame.side)
        if target is None:
            number, session_id = parse_call_side(frame.side)
            target = self._targets.get(number)  # type: ignore[arg-type]
            if target is None:
                self.fail(frame, "load", LookupError(f"no function is loaded as target {number!r}"))
                return
            if session_id is None and len(self._sides) < _MAX_SIDES:
                self._sides[frame.side] = target
        else:
            session_id = None
        try:
            payloads = decode(frame.body, frame.buffers)
        except DecodeError as error:
            self._undecodable(frame, error)
            return
        self._begin(session_id)
        function, each = target
        began = perf_counter_ns()
        if each:
            try:
                payloads = iter(payloads)
            except TypeError as error:  # an executor of the user's own sent it
                self.fail(frame, "user", error)
                return
            try:
                results = self._each(frame.request_id, function, payloads)
            except ValueError:  # the cursor's words are released in a forked child that comes back from the function
                self._channel.end_in_fork()
                raise
            if results is None:
                self._channel.write(CANCELLED, frame.request_id, attempt=frame.attempt)
                return
        else:
            self._cursor.batch = frame.request_id, frame.count
            try:
                results = function(payloads)
                if type(results) is not list:
                    as_list = listed(results)
                    if as_list is None:
                        self._unexpected(frame, "a list of results", results, payloads)
                        return
                    results = as_list
            except SystemExit:
                raise
            except BaseException as error:
                self._took = perf_counter_ns() - began
                if isinstance(error, (TypeError, AttributeError, ValueError)):
                    explain(error, payloads, False)
                self.fail(frame, "user", error)
                return
        self._took = perf_counter_ns() - began
        try:
            body, buffers = self._encode(results)
        except SystemExit:
            raise
        except BaseException as error:  # EncodeError, or what a tzinfo of the user's raises
            self._reply_in_part(frame, results, None, error, each)
            return
        self._reply(frame, body, buffers, results, each)

    def _each(self, request_id: int, function: Callable[[Any], Any], payloads: Any) -> list[Any] | None:
        """Return the result of each payload, or the exception of one that failed; None: the host cancelled it."""
        self._cursor.batch = None  # what the function itself says of its progress is no item's index
        results: list[Any] = []
        append, clock, between = results.append, monotonic_ns, self._between
        words = self._cursor.begin(request_id)
        look_at = clock() + _LOOK_AGAIN
        for index, payload in enumerate(payloads):
            now = clock()
            words[SINCE] = now  # first: with the index the clock of this item starts
            words[INDEX] = index
            if now >= look_at:
                if between(request_id):
                    return None
                look_at = now + _LOOK_AGAIN
            try:
                append(function(payload))
            except SystemExit:
                raise
            except BaseException as error:
                if isinstance(error, MemoryError):
                    let_go(error.__traceback__)
                elif isinstance(error, (TypeError, AttributeError, KeyError)):
                    explain(error, payload, True)
                append(error)
        words[SINCE] = clock()
        words[INDEX] = len(results)  # what comes now is no item's doing, and has a timeout of its own
        return results

    def _stream(self, frame: Frame) -> None:
        from slither_actors.wire.chunk_window import ChunkWindow

        from .chunks import ChunkSender, Stream

        name, session_id, chunks, size = parse_stream_side(frame.side)
        if type(name) is int:
            function = self._targets[name][0] if name in self._targets else None
            missing = f"no function is loaded as target {name!r}"
        else:
            function = (self.commands or {}).get(name)  # type: ignore[arg-type]
            missing = self._no_command(name)
        if function is None:
            self.fail(frame, "load", LookupError(missing))
            return
        try:
            payload = decode(frame.body, frame.buffers)
        except DecodeError as error:
            from .undecodable import explained

            self.fail(frame, "decode", explained(error))
            return
        sessions.begin(session_id)
        cursor.batch = None  # a stream has one payload, which is begun from here on
        cursor.begin(frame.request_id)
        if self._sender is None:
            self._sender = ChunkSender(self._channel, self._encoder, self._serve, self._fail_stream)
        self._sender.execute(frame, Stream(frame.request_id, ChunkWindow(chunks, size)), function, payload)

    def _fail_stream(self, frame: Frame, kind: str, error: BaseException, took: int) -> None:
        self._took = took
        self.fail(frame, kind, error)

    def _no_command(self, name: object) -> str:
        known = "the worker has no adapter" if self.commands is None else f"there are {list(self.commands)}"
        return f"there is no command {name!r}; {known}"

    def _command(self, frame: Frame) -> None:
        name, session_id = parse_call_side(frame.side)
        method = (self.commands or {}).get(name)  # type: ignore[arg-type]
        if method is None:
            self.fail(frame, "load", LookupError(self._no_command(name)))
            return
        try:
            request = decode(frame.body, frame.buffers)
        except DecodeError as error:
            self._undecodable(frame, error, "items")
            return
        self._begin(session_id)
        self._cursor.batch = frame.request_id, frame.count
        began = perf_counter_ns()
        try:
            answer = method(request)
            if not isinstance(answer, dict) or "items" not in answer:
                self._unexpected(frame, 'a dict with "items"', answer)
                return
            results = listed(answer["items"])
            if results is None:
                self._unexpected(frame, 'a list as "items"', answer["items"])
                return
            answer = {**answer, "items": results}
        except SystemExit:
            raise
        except BaseException as error:
            self._took = perf_counter_ns() - began
            self.fail(frame, "user", error)
            return
        self._took = perf_counter_ns() - began
        try:
            body, buffers = self._encode(answer)
        except SystemExit:
            raise
        except BaseException as error:
            self._reply_in_part(frame, results, answer, error)
            return
        self._reply(frame, body, buffers, results, False)

    # --- replies

    def _reply(self, frame: Frame, body: bytes, buffers: list[Any], results: list[Any], each: bool) -> None:
        """Reply with all results; with ``each`` those that alone are larger than a frame fail alone."""
        if not buffers and len(body) < self._surely_fits:
            self._channel.reply(frame.request_id, frame.attempt, len(results), body, self._took)
            return
        error = self._write_reply(frame, body, buffers, len(results))
        if error is not None:
            self._reply_in_part(frame, results, None, error, each)

    def _write_reply(
        self, frame: Frame, body: bytes, buffers: list[Any], count: int, side: bytes = b"", failed: int = 0
    ) -> EncodeError | None:
        """Send a reply; one that is too large is not sent: the error that says so."""
        size = _size(body, buffers) + len(side)
        if size > self._channel.max_frame:
            return EncodeError(
                "", f"the reply takes {size} bytes, max_frame is {self._channel.max_frame}; use smaller batches"
            )
        self._channel.write(
            REPLY,
            frame.request_id,
            body,
            side=side,
            buffers=buffers,
            shared=self._encoder.copied,
            attempt=frame.attempt,
            count=count,
            failed=failed,
            took=self._took,
        )
        return None

    def _reply_in_part(
        self, frame: Frame, results: list[Any], answer: dict[Any, Any] | None, error: BaseException, each: bool = False
    ) -> None:
        """Reply with the results that can be sent: exceptions are among them, or else the batch has failed.

        With ``each`` what cannot be encoded, or is too large, is known to be the result of one item, which fails alone.
        """
        from .exception_record import failure_of, fit

        good: list[Any] = []
        indexes: list[int] = []
        failures: list[Failure] = []
        for index, result in enumerate(results):
            if isinstance(result, BaseException):
                indexes.append(index)
                failures.append(failure_of(result, "user"))
            elif each and (bad := self._unsendable(index, result)) is not None:
                indexes.append(index)
                failures.append(failure_of(bad, "encode"))
            else:
                good.append(result)
        if not indexes:
            self.fail(frame, "encode", error)
            return
        try:
            body, buffers = self._encode(good if answer is None else {**answer, "items": good})
        except EncodeError:
            # Again with the failed ones in their places, for a path that the function's author can make sense of.
            places = [None if isinstance(result, BaseException) else result for result in results]
            try:
                self._encode(places if answer is None else {**answer, "items": places})
            except EncodeError as second:
                self.fail(frame, "encode", second)
            except SystemExit:
                raise
            except BaseException as second:
                self.fail(frame, "encode", second)
            return
        except SystemExit:
            raise
        except BaseException as second:
            self.fail(frame, "encode", second)
            return
        too_large = self._write_reply(frame, body, buffers, len(good), reply_side(indexes, failures), len(indexes))
        if too_large is not None:
            # Perhaps for what the errors say: they are shortened to what is left.
            left = self._channel.max_frame - _size(body, buffers) - _TABLE
            failures = fit(failures, left - 4 * len(indexes))
            if failures:
                side = reply_side(indexes, failures)
                too_large = self._write_reply(frame, body, buffers, len(good), side, len(indexes))
        if too_large is not None:
            self.fail(frame, "encode", too_large)

    def _unsendable(self, index: int, result: object) -> BaseException | None:
        """Why the result of one item cannot be sent; None if it can."""
        from . import hints

        if hints.is_async(result):
            hints.close(result)
            return EncodeError(f"[{index}]", f"the function gave a {_named(result)}{hints.about_async(result)}")
        try:
            body, buffers = self._encode([result])
        except EncodeError as error:
            yields = hasattr(type(result), "__next__")
            reason = f"{error.reason}, or call the function by stream_one" if yields else error.reason
            return EncodeError(f"[{index}]{error.path[len('[0]') :]}", reason, (index, *error.steps[1:]))
        except SystemExit:
            raise
        except BaseException as error:
            return error
        size, most = _size(body, buffers), self._channel.max_frame
        if size > most:
            text = f"the reply takes {size} bytes for this result alone, max_frame is {most}; "
            return EncodeError(f"[{index}]", f"{text}return it in pieces, or give the pool a larger one", (index,))
        return None

    def _unexpected(self, frame: Frame, expected: str, got: object, payloads: object = None) -> None:
        from . import hints

        hints.close(got)
        hint = hints.about_result(got) or hints.got(payloads)
        self.fail(frame, "unexpected", TypeError(f"expected {expected}, got {_named(got)}{hint}"))

    def fail(self, frame: Frame, kind: str, error: BaseException) -> None:
        """Answer with a failure; ``start`` has request id 0."""
        if isinstance(error, MemoryError):
            let_go(error.__traceback__)
        from .exception_record import failure_of, fit

        failure = failure_of(error, kind)
        body = failure.to_body()
        if HEADER_SIZE + len(body) > self._channel.max_frame:  # the host would take it for a broken stream
            body = fit([failure], self._channel.max_frame - HEADER_SIZE)[0].to_body()
        self._channel.write(
            FAILURE, frame.request_id if kind != "start" else 0, body, attempt=frame.attempt, took=self._took
        )

    def _undecodable(self, frame: Frame, error: DecodeError, key: str | None = None) -> None:
        """Answer a request that is no value; where some of its items are at fault the answer names them.

        Nothing of it has been executed: the host sends the others again.
        """
        from .exception_record import failure_of
        from .undecodable import bad_items, explained

        bad = bad_items(frame, key)
        failures = [failure_of(each, "decode") for each in bad.values()]
        while failures:
            side, body = reply_side([*bad][: len(failures)], failures), failures[0].to_body()
            if HEADER_SIZE + len(side) + len(body) <= self._channel.max_frame:
                count = frame.count - len(failures)
                self._channel.write(
                    FAILURE,
                    frame.request_id,
                    body,
                    side=side,
                    attempt=frame.attempt,
                    count=count,
                    failed=len(failures),
                )
                return
            del failures[len(failures) // 2 :]  # the others are named when they come again
        self.fail(frame, "decode", explained(error))


def explain(error: Exception, given: object, each: bool) -> None:
    """Leave a clause with the error on what the function was called with, where it took that for something else."""
    from .hints import leave

    leave(error, given, each)


def let_go(trace: TracebackType | None) -> None:
    """Empty the frames of a call that ran out of memory: what they hold is in the way of telling of it."""
    while trace is not None:
        try:
            trace.tb_frame.clear()
        except RuntimeError:  # it is being executed: our own
            pass
        trace = trace.tb_next


def _size(body: bytes, buffers: list[Any]) -> int:
    """Bytes of a reply without failed items."""
    return HEADER_SIZE + len(body) + (sum(map(len, buffers)) if buffers else 0)


def _named(value: object) -> str:
    from .exception_record import type_name

    return type_name(type(value))


def listed(results: Any) -> list[Any] | None:
    """Return as a list what a function returned; None if it is no sequence of results.

    A string, a dict or a set has a length and an order of its own making: taking it for results would hide a mistake.
    """
    if isinstance(results, (list, tuple)):
        return list(results)
    if hasattr(results, "__iter__") and not hasattr(results, "__len__"):
        return list(results)
    return None


def resolve(module: str, name: str) -> Any:
    """Find ``name`` (dotted for attributes) in ``module``, which is imported. Raises whatever that raises."""
    __import__(module)
    found: Any = sys.modules[module]
    if module == "__main__":
        raise LookupError("a worker has no __main__ of the host's: put the function into a module that can be imported")
    parts = name.split(".")
    for number, part in enumerate(parts):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AttributeError(f"module {module} has no {name}{_meant(found, parts, number)}") from None
    return found


def _meant(owner: object, parts: list[str], number: int) -> str:
    """Return the clause "did you mean" if the missing part's owner has a similar name, else nothing."""
    try:
        from difflib import get_close_matches  # here, as most workers never need it

        close = get_close_matches(parts[number], dir(owner), 1)
    except Exception:  # a module may have a __dir__ of its own
        close = []
    return f", did you mean {'.'.join([*parts[:number], close[0], *parts[number + 1 :]])!r}?" if close else ""
