"""A prepared call: a function or command with its options, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from slither_actors.chunk_options import DEFAULT_BOUNDS, ChunkOptions
from slither_actors.errors import OptionError
from slither_actors.item import Item
from slither_actors.loops import warn_in_loop
from slither_actors.option_types import ChunkKwargs
from slither_actors.requests.futures import future_of
from slither_actors.requests.requester import Requester
from slither_actors.run_options import RunOptions
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.output.gather import agather, gather
from slither_actors.runs.output.stream import Stream

if TYPE_CHECKING:
    from slither_actors.runs.chunks.stream import ChunkStream
    from slither_actors.runs.output.async_stream import AsyncStream


class Opener(Protocol):
    """What opens the runs of a prepared call: a Dispatcher."""

    @property
    def takes_requests(self) -> bool:
        """Whether a request may be sent now, from this process."""

    def requester(self, options: Mapping[str, object], ready: bool) -> Requester | None:
        """Return what sends requests with these options; None if they cannot be sent as requests."""

    def open(self, items: Source, options: Mapping[str, object], *, asynchronous: bool = False) -> Consumer:
        """Prepare a run of items."""

    def open_batch(
        self, batch: Sequence[Any], options: Mapping[str, object], call: str, *, asynchronous: bool = False
    ) -> Consumer:
        """Prepare a run of one batch as it is."""

    def parsed(self, options: Mapping[str, object], ready: bool) -> RunOptions:
        """Return options, checked."""

    def open_stream(self, payload: object, options: RunOptions, bounds: ChunkOptions) -> ChunkStream:
        """Prepare a stream of the chunks of one payload."""


class PreparedCall:
    """A function or command on a pool with its options, which were checked once. Made by `Dispatcher.bind`.

    For any thread and any event loop, as long as the System runs.

    Args:
        opener: opens its runs.
        options: of each of them.
        batching: names of options that make batches: they do not concern a batch that is given as it is.

    Raises:
        OptionError: an option is unknown or has a bad value.
    """

    def __init__(self, opener: Opener, options: Mapping[str, object], batching: Sequence[str]) -> None:
        strategy = options.get("strategy")
        if strategy is not None and not isinstance(strategy, type):
            raise OptionError(
                f"a prepared call makes many runs, and each needs a strategy of its own: give the class, "
                f"strategy={type(strategy).__name__}, and its options beside it",
                "strategy",
            )
        self._opener = opener
        self._options = dict(options)
        self._batch_options = {name: value for name, value in options.items() if name not in batching}
        self._batched = opener.requester(self._options, False)
        self._ready = opener.requester(self._batch_options, True)
        self._stream_options: RunOptions | None = None

    def run(self, items: Iterable[Any]) -> list[Item]:
        """Dispatch all items and return all results: `Dispatcher.run` with the options of this call.

        Raises:
            DispatchError: the run failed.
        """
        warn_in_loop("run", "`await ...arun(...)`")
        requester = self._batched
        if requester is not None and requester.takes(items) and self._opener.takes_requests:
            return requester.call(items)
        return gather(self._opener.open(items, self._options))

    def stream(self, items: Iterable[Any]) -> Stream:
        """Dispatch items lazily: `Dispatcher.stream` with the options of this call."""
        return Stream(self._opener.open(items, self._options))

    def call_batch(self, batch: Sequence[Any]) -> list[Item]:
        """Dispatch one ready batch: `Dispatcher.call_batch` with the options of this call.

        Raises:
            DispatchError: it failed.
        """
        warn_in_loop("call_batch", "`await ...acall_batch(...)`")
        requester = self._ready
        if requester is not None and requester.takes_batch(batch) and self._opener.takes_requests:
            return requester.call(batch)
        return gather(self._opener.open_batch(batch, self._batch_options, "call_batch"))

    async def arun(self, items: Source) -> list[Item]:
        """`run` for asyncio, of sync and asynchronous sources.

        Raises:
            DispatchError: the run failed.
        """
        requester = self._batched
        if requester is not None and requester.takes(items) and self._opener.takes_requests:
            return await requester.acall(items)
        return await agather(self._opener.open(items, self._options, asynchronous=True))

    def astream(self, items: Source) -> AsyncStream:
        """`stream` for asyncio, of sync and asynchronous sources."""
        from slither_actors.runs.output.async_stream import AsyncStream

        return AsyncStream(self._opener.open(items, self._options, asynchronous=True))

    async def acall_batch(self, batch: Sequence[Any]) -> list[Item]:
        """`call_batch` for asyncio.

        Raises:
            DispatchError: it failed.
        """
        requester = self._ready
        if requester is not None and requester.takes_batch(batch) and self._opener.takes_requests:
            return await requester.acall(batch)
        return await agather(self._opener.open_batch(batch, self._batch_options, "acall_batch", asynchronous=True))

    def submit(self, batch: Sequence[Any]) -> Future[list[Item]]:
        """Dispatch one ready batch, and return a future of its results at once.

        Futures are completed on a thread of the System's, on which their callbacks run. To cancel one withdraws the
        batch: it is not executed unless it has begun, and then its results are dropped.

        Args:
            batch: a list or tuple of Items or bare payloads.

        Raises:
            DispatchError: the pool is gone.
        """
        requester = self._ready
        if requester is not None and requester.takes_batch(batch) and self._opener.takes_requests:
            return requester.submit(batch)
        return future_of(self._opener.open_batch(batch, self._batch_options, "submit"))

    def stream_one(self, payload: object, **bounds: Unpack[ChunkKwargs]) -> ChunkStream:
        """Give one payload to a function that yields, and get its chunks one after the other as they come.

        The function is called with the payload itself, whatever `each` says; a command with ``{"items": [payload]}``.
        It is ahead of its reader by ``max_ahead`` chunks at the most, and waits at its yield. ``timeout`` is the time
        for the next chunk while it does not wait. Before the first chunk ``on_error=Retry(...)`` applies; after it
        nothing is executed again.

        Args:
            payload: for the function.
            bounds: ``reader_timeout``, ``max_ahead``, ``max_ahead_bytes``; see docs/options.md.

        Returns:
            The chunks, for ``async for`` in an event loop and for ``for`` in a thread. A loop that is left closes them.

        Raises:
            OptionError: an option is wrong, or has no meaning here.

        Example::

            talk = system.dispatch.bind(function=my_model.talk, timeout=5.0)
            async for token in talk.stream_one("Hello"):
                print(token)
        """
        options = self._stream_options
        if options is None:
            options = self._stream_options = self._opener.parsed(self._batch_options, True)
        return self._opener.open_stream(payload, options, ChunkOptions(**bounds) if bounds else DEFAULT_BOUNDS)
