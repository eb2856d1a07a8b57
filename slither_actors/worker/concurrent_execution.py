"""Executing one of several batches at a time: on a thread, or on the worker's event loop."""

from __future__ import annotations

from time import monotonic_ns, perf_counter_ns

from slither_actors.wire.codec import decode
from slither_actors.wire.extension_codes import DecodeError
from slither_actors.wire.frames import CALL, CANCELLED
from slither_actors.wire.messages import parse_call_side

from .cursor import INDEX, SINCE, use_here
from .event_loop import ToTheEnd
from .execution import Execution, explain, let_go, listed
from .state import sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from slither_actors.wire.frames import Frame

    from .cursor import Cursor
    from .shared_channel import SharedChannel

    Awaited = Callable[[Any], Coroutine[Any, Any, Any]]


class PlaceExecution(Execution):
    """Executes the batches of one place of a worker; its functions and commands are those of the worker.

    Args:
        worker: executes what is no batch; has the functions and the commands.
        channel: of the worker.
        between: says between two items of a request whether the host has cancelled that one.
        at: where it notes how far it is.
    """

    def __init__(self, worker: Execution, channel: SharedChannel, between: Callable[[int], bool], at: Cursor) -> None:
        super().__init__(channel, between, at=at, begin=self._enter)
        self._targets, self._sides, self.commands = worker._targets, worker._sides, worker.commands
        self.most(channel.max_frame)

    def _enter(self, session_id: str | None) -> None:
        """Begin a call in the context of the caller, which the batch has for itself."""
        sessions.begin_here(session_id)
        use_here(self._cursor)

    def awaited(self, frame: Frame) -> Awaited | None:
        """Return the `async def` function or command that a batch calls; None: it calls no such."""
        what, _ = parse_call_side(frame.side)
        function: object = None
        if frame.kind == CALL:
            target = self._targets.get(what)  # type: ignore[arg-type]
            function = target[0] if target is not None else None
        elif self.commands is not None:
            function = self.commands.get(what)  # type: ignore[arg-type]
        return function.function if isinstance(function, ToTheEnd) else None

    async def execute_awaited(self, frame: Frame, function: Awaited) -> None:
        """Execute a batch of an `async def` function or command, as `execute` does one of a plain one."""
        self._took = 0
        what, session_id = parse_call_side(frame.side)
        is_call = frame.kind == CALL
        try:
            given = decode(frame.body, frame.buffers)
        except DecodeError as error:
            self._undecodable(frame, error, None if is_call else "items")
            return
        self._begin(session_id)
        if is_call and self._targets[what][1]:  # type: ignore[index]
            await self._call_each(frame, function, given)
        else:
            await self._call_once(frame, function, given, is_call)

    async def _call_once(self, frame: Frame, function: Awaited, given: Any, is_call: bool) -> None:
        self._cursor.batch = frame.request_id, frame.count
        answer: Any = None
        began = perf_counter_ns()
        try:
            got = await function(given)
            if is_call:
                results = listed(got)
                if results is None:
                    self._unexpected(frame, "a list of results", got, given)
                    return
            elif not isinstance(got, dict) or "items" not in got:
                self._unexpected(frame, 'a dict with "items"', got)
                return
            else:
                results = listed(got["items"])
                if results is None:
                    self._unexpected(frame, 'a list as "items"', got["items"])
                    return
                answer = {**got, "items": results}
        except SystemExit:
            raise
        except BaseException as error:
            self._took = perf_counter_ns() - began
            if is_call and isinstance(error, (TypeError, AttributeError, ValueError)):
                explain(error, given, False)
            self.fail(frame, "user", error)
            return
        self._took = perf_counter_ns() - began
        self._answer(frame, results, answer, False)

    async def _call_each(self, frame: Frame, function: Awaited, given: Any) -> None:
        """Execute a batch item by item: one is awaited after the other, while other batches are executed."""
        self._cursor.batch = None  # what the function itself says of its progress is no item's index
        try:
            payloads = iter(given)
        except TypeError as error:  # an executor of the user's own sent it
            self.fail(frame, "user", error)
            return
        results: list[Any] = []
        began = perf_counter_ns()
        words = self._cursor.begin(frame.request_id)
        for index, payload in enumerate(payloads):
            words[SINCE] = monotonic_ns()
            words[INDEX] = index
            if self._between(frame.request_id):
                self._channel.write(CANCELLED, frame.request_id, attempt=frame.attempt)
                return
            try:
                results.append(await function(payload))
            except SystemExit:
                raise
            except BaseException as error:
                if isinstance(error, MemoryError):
                    let_go(error.__traceback__)
                elif isinstance(error, (TypeError, AttributeError, KeyError)):
                    explain(error, payload, True)
                results.append(error)
        words[SINCE] = monotonic_ns()
        words[INDEX] = len(results)
        self._took = perf_counter_ns() - began
        self._answer(frame, results, None, True)

    def _answer(self, frame: Frame, results: list[Any], answer: Any, each: bool) -> None:
        try:
            body, buffers = self._encode(results if answer is None else answer)
        except SystemExit:
            raise
        except BaseException as error:  # EncodeError, or what a tzinfo of the user's raises
            self._reply_in_part(frame, results, answer, error, each)
            return
        self._reply(frame, body, buffers, results, each)
