"""From a batch to the bytes of its request, by way of the run's executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slither_actors.errors import PayloadError
from slither_actors.executors import Call, Command, SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.shared_memory import RequestArena
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import Batch, describe, wrap_bare
from slither_actors.wire.codec import EncodeError, Encoder
from slither_actors.wire.header import DEFAULT_MAX_FRAME, HEADER_SIZE
from slither_actors.wire.messages import call_side
from slither_actors.wording import shown


class RequestEncoder:
    """Fills in a batch's target, side data, body and buffers. For one thread.

    Args:
        options: the run's; its executor says what a request is.
        target_of: the System's table of targets, so that a function is loaded once a worker and not once a run.
        max_frame: bytes that the pool's workers accept in one request, header included.
        arena: where large buffers are put for the workers; None: they go through the pipes.
        blame: records an error that ends the run, and where it was: `Ending.blame`.
        session: whether requests name the session, also where that is one of the run's own.
    """

    def __init__(
        self,
        options: RunOptions,
        target_of: Callable[[str | None, str, bool], Target],
        max_frame: int = DEFAULT_MAX_FRAME,
        arena: RequestArena | None = None,
        blame: Callable[[BaseException, str], None] = lambda error, failed: None,
        session: bool = True,
    ) -> None:
        self._options = options
        executor: Any = options.executor
        self._executor = executor
        self._max_frame = max_frame
        self._arena = arena
        self._blame = blame
        self._most = max_frame // 2  # what is larger is looked at more closely
        self._encoder = Encoder()
        self._together = True  # whether batches are encoded several at a time; False once some are not of that kind
        self._target_of = target_of
        context = options.context
        self._session = context.session_id if session or context.session_given else None
        self._sides: dict[Target, bytes] = {}
        kind = type(executor)
        self.target: Target | None = None
        """What all batches call; None where the executor is asked for each."""
        self.side = b""
        """Of all requests, where the target is the same."""
        self.take_out: Callable[[Batch, dict[int, PayloadError]], list[Batch]] | None = None
        """Leaves a batch its good items and gives the bad ones as batches of their own; None: a batch fails whole."""
        self._wrap = kind is Snakepit
        self._plain = kind is SnakeBridge
        if kind is SnakeBridge:
            self.target = target_of(*executor.target)
        elif kind is Snakepit:
            self.target = target_of(None, executor.command, False)
        if self.target is not None:
            self.side = self._side(self.target)

    @property
    def finds_items(self) -> bool:
        """Whether an Item among what was taken for bare payloads is noticed here, and the batch then corrected."""
        return self.target is not None

    def close(self) -> None:
        """Encode no more."""
        self._encoder.close()
        self.take_out = None  # the Batcher's, which holds us

    def encode_one(self, batch: Batch) -> None:
        """Do as `encode` does for one batch: quicker, where that is of bare and small payloads for a function."""
        if batch.bare and self._plain:
            try:
                body, buffers = self._encoder.encode(batch.entries)
            except EncodeError:
                self.encode([batch])
                return
            size = len(body)
            if not buffers and size <= self._most:
                batch.body = body
                batch.encoded = size
                return
        self.encode([batch])

    def encode(self, batches: list[Batch]) -> None:
        """Make the requests; where a payload has no form on the wire that is left as its batch's `error`.

        Args:
            batches: with `target` and `side` of this encoder, if it has a target. Those of single items that cannot
                be encoded are appended.

        Raises:
            BaseException: what a user's executor raises in ``request``.
        """
        if self._together and len(batches) > 1 and self._encode_together(batches):
            return
        arena = self._arena
        encode, asks, wrap, most = self._encoder.encode, self.target is None, self._wrap, self._most
        for batch in batches:
            content: Any = batch.entries if batch.bare else batch.payloads()
            if wrap:
                content = {"items": content}
            elif asks:
                content = self._asked(batch)
            try:
                body, buffers = encode(content)
            except EncodeError as error:
                self._failed(batch, error, batches)
                continue
            except BaseException as error:  # no memory, say; not the strategy's error, which called us
                self._blame(error, f"encoding {describe(batch)} failed")
                raise
            batch.body = body
            size = len(body)
            if buffers:
                beside = sum(map(len, buffers))
                size += beside
                lease = arena.put(buffers, beside) if arena is not None and self._encoder.copied else None
                batch.buffers = lease if lease is not None else buffers
            batch.encoded = size
            if size > most:
                self._check_size(batch, batches)

    def _encode_together(self, batches: list[Batch]) -> bool:
        """Encode small batches of plain values in one go. Returns False if that has to be done one by one."""
        bodies = None
        if self.target is not None and not self._wrap:
            bodies = self._encoder.encode_each([batch.entries if batch.bare else batch.payloads() for batch in batches])
        if bodies is None or max(map(len, bodies)) + len(self.side) + HEADER_SIZE > self._max_frame:
            self._together = False
            return False
        for batch, body in zip(batches, bodies, strict=True):
            batch.body = body
            batch.encoded = len(body)
        return True

    def _failed(self, batch: Batch, error: EncodeError, batches: list[Batch]) -> None:
        if batch.bare and Item in set(map(type, batch.entries)):
            batch.entries, batch.bare = wrap_bare(batch.entries, batch.positions[0]), False
            self._encode_again(batch, batches)
        elif batch.error is None:  # one that was taken out has its error already
            self._fail(batch, self._name_item(batch, error), self._bad_items(batch), batches)

    def _fail(self, batch: Batch, error: PayloadError, bad: dict[int, PayloadError], batches: list[Batch]) -> None:
        """Fail a batch, as a whole where no item is known to be at fault."""
        if not bad or self.take_out is None:
            batch.error = error
            return
        batches += self.take_out(batch, bad)
        self._encode_again(batch, batches)

    def _encode_again(self, batch: Batch, batches: list[Batch]) -> None:
        again = [batch]
        self.encode(again)
        batches += again[1:]

    def _bad_items(self, batch: Batch, most: int | None = None) -> dict[int, PayloadError]:
        """Which items of a batch that could not be encoded are at fault, each tried for itself.

        None are where a user's executor makes the request: what an item comes to there only it knows.

        Args:
            batch: all of its items can be named.
            most: bytes that the request of a single item may have; None: they were not the reason.
        """
        if self.target is None or batch.count == 1:
            return {}
        errors: dict[int, PayloadError] = {}
        ids = batch.ids()
        for index, payload in enumerate(batch.payloads()):
            alone: Any = {"items": [payload]} if self._wrap else [payload]
            try:
                body, buffers = self._encoder.encode(alone)
            except EncodeError as error:
                path = error.path.removeprefix("['items']") if self._wrap else error.path
                errors[index] = PayloadError(ids[index], path.removeprefix("[0]"), error.reason)
                continue
            if most is not None and (size := HEADER_SIZE + len(batch.side) + len(body) + sum(map(len, buffers))) > most:
                errors[index] = PayloadError(ids[index], "", _too_large(size, most, 1))
        return errors

    def _asked(self, batch: Batch) -> Any:
        """Return the payload of the request that the user's executor makes of a batch."""
        try:
            request = self._executor.request(batch.items(), self._options.context, self._options)
            if isinstance(request, Call):
                target = self._target_of(request.module, request.function, request.each)
            elif isinstance(request, Command):
                target = self._target_of(None, request.name, False)
            else:
                name = type(self._executor).__name__
                raise TypeError(f"{name}.request gave {shown(request)}, neither a Call nor a Command")
        except BaseException as error:
            self._blame(error, f"{type(self._executor).__name__}.request failed for {describe(batch)}")
            raise
        batch.target = target
        batch.side = self._sides.get(target) or self._side(target)
        return request.payload

    def _check_size(self, batch: Batch, batches: list[Batch]) -> None:
        """Refuse a request over max_frame here: its worker would have to take it for a broken stream, and end."""
        size = HEADER_SIZE + len(batch.side) + batch.encoded
        if size <= self._max_frame:
            return
        batch.body, batch.buffers, batch.encoded = b"", (), 0
        item = batch.ids()[0] if batch.count == 1 else None
        error = PayloadError(item, "", _too_large(size, self._max_frame, batch.count))
        self._fail(batch, error, self._bad_items(batch, self._max_frame), batches)

    def _side(self, target: Target) -> bytes:
        what = target.name if target.module is None else target.id
        side = call_side(what, self._session)
        self._sides[target] = side
        return side

    def _name_item(self, batch: Batch, error: EncodeError) -> PayloadError:
        """Return the error with the item and the path inside it, from the path inside the whole batch."""
        path = error.path.removeprefix("['items']") if self._wrap else error.path
        if path.startswith("["):
            number, _, rest = path[1:].partition("]")
            if number.isdigit() and int(number) < batch.count:
                return PayloadError(batch.ids()[int(number)], rest, error.reason)
        return PayloadError(None, error.path, error.reason)


def _too_large(size: int, max_frame: int, count: int) -> str:
    remedy = "use smaller batches" if count > 1 else "send it in pieces, or give the pool a larger one"
    return f"the request takes {size} bytes, max_frame is {max_frame}; {remedy}"
