"""From a batch to the bytes of its request, by way of the run's executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slither_actors.errors import PayloadError
from slither_actors.executors import Call, Command, SnakeBridge, Snakepit
from slither_actors.options import RunOptions
from slither_actors.pipeline.batch import Batch
from slither_actors.pools.job import Target
from slither_actors.wire.codec import EncodeError, Encoder
from slither_actors.wire.header import DEFAULT_MAX_FRAME, HEADER_SIZE
from slither_actors.wire.messages import call_side


class RequestEncoder:
    """Fills in a batch's target, side data, body and buffers. For one thread.

    Args:
        options: the run's; its executor says what a request is.
        target_of: the System's table of targets, so that a function is loaded once a worker and not once a run.
        max_frame: bytes that the pool's workers accept in one request, header included.
    """

    def __init__(
        self,
        options: RunOptions,
        target_of: Callable[[str | None, str, bool], Target],
        max_frame: int = DEFAULT_MAX_FRAME,
    ) -> None:
        self._options = options
        executor: Any = options.executor
        self._executor = executor
        self._max_frame = max_frame
        self._encoder = Encoder()
        self._target_of = target_of
        self._session = options.context.session_id
        self._sides: dict[Target, bytes] = {}
        kind = type(self._executor)
        self._fixed: Target | None = None
        self._wrap = False
        if kind is SnakeBridge:
            self._fixed = target_of(*executor.target)
        elif kind is Snakepit:
            self._fixed = target_of(None, executor.command, False)
            self._wrap = True

    def encode(self, batch: Batch) -> None:
        """Make the request; a payload without a form on the wire is left as the batch's `error`.

        Raises:
            BaseException: what a user's executor raises in ``request``.
        """
        target = self._fixed
        content: Any
        if target is None:
            request = self._executor.request(batch.items(), self._options.context, self._options)
            if isinstance(request, Call):
                target = self._target_of(request.module, request.function, request.each)
            elif isinstance(request, Command):
                target = self._target_of(None, request.name, False)
            else:
                raise TypeError(
                    f"{type(self._executor).__name__}.request gave {request!r}, neither a Call nor a Command"
                )
            content = request.payload
        else:
            content = batch.payloads()
            if self._wrap:
                content = {"items": content}
        batch.target = target
        batch.side = self._sides.get(target) or self._side(target)
        try:
            batch.body, batch.buffers = self._encoder.encode(content)
        except EncodeError as error:
            batch.error = self._name_item(batch, error)
            return
        batch.encoded = len(batch.body) + sum(map(len, batch.buffers))
        size = HEADER_SIZE + len(batch.side) + batch.encoded
        if size > self._max_frame:
            batch.error = self._too_large(batch, size)

    def _too_large(self, batch: Batch, size: int) -> PayloadError:
        """Found here, as its worker would have to take it for a broken stream, and end."""
        batch.body, batch.buffers, batch.encoded = b"", [], 0
        remedy = "use smaller batches" if batch.count > 1 else "send it in pieces, or give the pool a larger one"
        item = batch.ids()[0] if batch.count == 1 else None
        return PayloadError(item, "", f"the request takes {size} bytes, max_frame is {self._max_frame}; {remedy}")

    def _side(self, target: Target) -> bytes:
        what = target.name if target.module is None else target.id
        side = call_side(what, self._session)
        self._sides[target] = side
        return side

    def _name_item(self, batch: Batch, error: EncodeError) -> PayloadError:
        """The item and the path inside it, from the path inside the whole batch."""
        path = error.path.removeprefix("['items']") if self._wrap else error.path
        if path.startswith("["):
            number, _, rest = path[1:].partition("]")
            if number.isdigit() and int(number) < batch.count:
                return PayloadError(batch.ids()[int(number)], rest, error.reason)
        return PayloadError(None, error.path, error.reason)
