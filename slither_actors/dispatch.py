"""The Dispatcher: run, stream and call batches of items on the pools of one System."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from slither_actors.chunk_options import ChunkOptions
from slither_actors.dynamic_batcher.batcher import DynamicBatcher
from slither_actors.dynamic_batcher.options import policy_of, take_options
from slither_actors.errors import OptionError, SystemStopped
from slither_actors.item import Item
from slither_actors.loops import warn_in_loop
from slither_actors.option_parsing import parse_options
from slither_actors.option_types import BatcherKwargs, CallKwargs, RunKwargs
from slither_actors.policies import Retry
from slither_actors.prepared_call import PreparedCall
from slither_actors.requests.desk import RequestDesk
from slither_actors.requests.memo import Memo
from slither_actors.requests.requester import Requester
from slither_actors.run_options import RunOptions
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.output.gather import agather, gather
from slither_actors.runs.output.stream import Stream
from slither_actors.sources import BATCHING_OPTIONS, as_it_is, check_source

# asyncio is imported on first use: that alone takes some 50 ms, which a command-line program would pay for nothing.
if TYPE_CHECKING:
    from slither_actors.runs.chunks.stream import ChunkStream
    from slither_actors.runs.output.async_stream import AsyncStream

STRATEGY_OPTIONS = ("batch_size", "linger")


class Engine(Protocol):
    """What a System offers its dispatcher."""

    def open_run(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started."""

    def open_stream(self, payload: object, options: RunOptions, bounds: ChunkOptions) -> ChunkStream:
        """Prepare a stream of the chunks of one payload; nothing is started."""

    @property
    def requests(self) -> RequestDesk:
        """What makes requests of runs of one batch."""

    @property
    def takes_requests(self) -> bool:
        """Whether it takes runs from anywhere in this process."""

    def check_takes_runs(self) -> None:
        """Raise what says why it takes no runs here and now, if it takes none."""


class Dispatcher:
    """`run`, `stream` and `call_batch` on one System (``system.dispatch``).

    Args:
        engine: the System.
        defaults: options for what a call does not say; `batch_size` and `linger` only where it names no strategy.
    """

    def __init__(self, engine: Engine, defaults: Mapping[str, object] | None = None) -> None:
        self._engine = engine
        self._defaults = dict(defaults or {})
        self._batched = Memo(partial(self._requester_for, ready=False))
        self._ready = Memo(partial(self._requester_for, ready=True))

    def run(self, items: Iterable[Any], **options: Unpack[RunKwargs]) -> list[Item]:
        """Dispatch all items and return all results.

        Args:
            items: any iterable of Items or bare payloads; these are wrapped, their position being their id.
            options: see `Dispatch.stream`.

        Returns:
            The results, in input order or, with ``ordering="as_completed"``, in the order of completion.

        Raises:
            OptionError: an option is unknown or has a bad value; nothing was started.
            DispatchError: the run failed. ``partial_results`` has all results there were, ``unfinished`` the ids of
                the rest.
        """
        warn_in_loop("run", "`await ...arun(...)`")
        requester = self._requester(items, options)
        return requester.call(items) if requester is not None else gather(self.open(items, options))

    def bind(self, **options: Unpack[RunKwargs]) -> PreparedCall:
        """Prepare a call whose options are the same each time: they are checked once, here.

        Args:
            options: see `Dispatch.stream`. A strategy is given as a class, as each run needs one of its own.

        Returns:
            The call: ``run``, ``stream``, ``call_batch``, ``submit`` and, for asyncio, ``arun``, ``astream`` and
            ``acall_batch``, which take only the items; ``stream_one`` for the chunks of one payload.

        Raises:
            OptionError: an option is unknown or has a bad value.

        Example::

            score = system.dispatch.bind(function="my_model:score", timeout=1.0)
            (result,) = await score.acall_batch([row])
        """
        return PreparedCall(self, options, BATCHING_OPTIONS)

    def batcher(self, **options: Unpack[BatcherKwargs]) -> DynamicBatcher:
        """Return a dynamic batcher: `System.batcher`."""
        own, given = take_options(options)
        default = self._defaults.get("on_error")
        on_error = given.get("on_error", default if isinstance(default, Retry) else None)
        rest = {**given, "on_error": policy_of(on_error, own.split)}
        for name in (*BATCHING_OPTIONS, "ordering"):
            if name in rest:
                remedy = (
                    "; say max_batch_size" if name == "batch_size" else "; say max_wait" if name == "linger" else ""
                )
                raise OptionError(f"{name} has no meaning for a batcher, which takes single calls{remedy}", name)
        requester = self.requester(rest, ready=True)
        if requester is None:
            raise OptionError(
                "a batcher calls a function or a command, without a session of its own (affinity) and without "
                "max_in_flight_bytes: each batch has calls of several callers",
                "executor",
            )
        engine = self._engine
        desk = engine.requests

        def check_takes_calls() -> None:
            if not engine.takes_requests:
                engine.check_takes_runs()
                raise SystemStopped("while the System starts or drains, its own actors call `run` and not a batcher")

        prepared = PreparedCall(self, given, BATCHING_OPTIONS)
        return DynamicBatcher(requester, own, desk.scheduler, desk.live, check_takes_calls, prepared)

    def stream(self, items: Iterable[Any], **options: Unpack[RunKwargs]) -> Stream:
        """Dispatch items lazily; see `Dispatch.stream`."""
        return Stream(self.open(items, options))

    def call_batch(self, batch: Sequence[Any], **options: Unpack[CallKwargs]) -> list[Item]:
        """Dispatch one ready batch, without a strategy.

        Args:
            batch: a list or tuple of Items or bare payloads.
            options: see `Dispatch.stream`, without those that make batches.

        Returns:
            The batch's results, in its order.

        Raises:
            OptionError: as in `run`.
            DispatchError: as in `run`.
        """
        warn_in_loop("call_batch", "`await ...acall_batch(...)`")
        requester = self._requester(batch, options, ready=True)
        if requester is not None:
            return requester.call(batch)
        return gather(self.open_batch(batch, options, "call_batch"))

    async def arun(self, items: Source, **options: Unpack[RunKwargs]) -> list[Item]:
        """`run` for asyncio: awaits in the caller's event loop, which it never blocks.

        A small source in memory (a list, a range and the like, of up to 4,096 items) is batched and encoded in the
        loop's thread, one batch at a time with turns for other tasks in between; so are the strategy and the `Route`
        function called for it. Any other sync source, and its strategy, have threads of the run. An asynchronous source
        is pulled by a task of the loop, as results are taken. Results are decoded in the loop's thread, a batch at a
        time: very large batches are better made smaller.

        Cancelling the task cancels the run: what waits is dropped at once, and what is in execution runs out, under its
        timeout; with ``timeout=None`` for however long it takes. `asyncio.timeout` works.

        Args:
            items: any iterable or asynchronous iterable of Items or bare payloads.
            options: see `Dispatch.stream`.

        Raises:
            OptionError, DispatchError: as in `run`.
        """
        requester = self._requester(items, options)
        if requester is not None:
            return await requester.acall(items)
        return await agather(self.open(items, options, asynchronous=True))

    def astream(self, items: Source, **options: Unpack[RunKwargs]) -> AsyncStream:
        """`stream` for asyncio; see `arun` for what happens where."""
        from slither_actors.runs.output.async_stream import AsyncStream

        return AsyncStream(self.open(items, options, asynchronous=True))

    async def acall_batch(self, batch: Sequence[Any], **options: Unpack[CallKwargs]) -> list[Item]:
        """`call_batch` for asyncio."""
        requester = self._requester(batch, options, ready=True)
        if requester is not None:
            return await requester.acall(batch)
        return await agather(self.open_batch(batch, options, "acall_batch", asynchronous=True))

    def _requester(self, items: object, options: Mapping[str, object], *, ready: bool = False) -> Requester | None:
        """Return what sends these items as one request; None if they need a run.

        That is the case where they are no list, tuple or range of the items of one batch, where the options say more
        than a request can do, and where the System does not take runs from just anywhere.
        """
        if not self._engine.takes_requests:
            return None
        requester = (self._ready if ready else self._batched).find(options)
        if requester is None or not (requester.takes_batch(items) if ready else requester.takes(items)):
            return None
        return requester

    @property
    def takes_requests(self) -> bool:
        """Whether a request may be sent now, from this process."""
        return self._engine.takes_requests

    def _requester_for(self, options: Mapping[str, object], ready: bool) -> Requester | None:
        if ready and any(name in options for name in BATCHING_OPTIONS):
            return None
        try:
            return self.requester(options, ready)
        except OptionError:
            return None  # the run says it, and where a default is at fault

    def requester(self, options: Mapping[str, object], ready: bool) -> Requester | None:
        """Return what sends requests with these options; None if they cannot be sent as requests.

        Args:
            options: of each request.
            ready: each request is a batch as it is given.

        Raises:
            OptionError: one is wrong.
        """

        def open_run(items: list[Any]) -> Consumer:
            return self.open_batch(items, options, "call_batch") if ready else self.open(items, options)

        # Of a batch as it is `open_batch` sets the size, which is not known here.
        whole = {**options, "batch_size": None, "max_in_flight": 1} if ready else options
        return self._engine.requests.requester(self.parsed(whole, ready), open_run)

    def open(self, items: Source, options: Mapping[str, object], *, asynchronous: bool = False) -> Consumer:
        """Prepare a run of items; nothing is pulled and nothing started.

        Raises:
            OptionError: an option is unknown or has a bad value.
        """
        check_source(items, asynchronous)
        return self._engine.open_run(items, self.parsed(options, False))

    def open_batch(
        self, batch: Sequence[Any], options: Mapping[str, object], call: str, *, asynchronous: bool = False
    ) -> Consumer:
        """Prepare a run of one batch as it is; `call` is how its user named it.

        Raises:
            OptionError: as `open`; or an option makes batches, or `batch` is no list or tuple.
        """
        options = as_it_is(batch, options, call)
        check_source(batch, asynchronous)
        return self._engine.open_run(batch, self.parsed(options, True))

    def open_stream(self, payload: object, options: RunOptions, bounds: ChunkOptions) -> ChunkStream:
        """Prepare a stream of the chunks of one payload. Raises OptionError: one has no meaning for that."""
        return self._engine.open_stream(payload, options, bounds)

    def parsed(self, options: Mapping[str, object], ready: bool) -> RunOptions:
        """Return options, checked, with the System's defaults. Raises OptionError: one is unknown, or wrong."""
        given = self._with_defaults(options)
        try:
            return parse_options(given, ready=ready)
        except OptionError as error:
            self._name_defaults(error, [name for name in given if name not in options])
            raise

    def _with_defaults(self, options: Mapping[str, object]) -> Mapping[str, object]:
        """Return the options of the call, and the System's defaults for the rest."""
        defaults = self._defaults
        if not defaults:
            return options
        if options.get("strategy") is not None:
            # Meant for batches by number; another strategy may have its own idea of what a batch is.
            defaults = {name: value for name, value in defaults.items() if name not in STRATEGY_OPTIONS}
        return {**defaults, **options}

    def _name_defaults(self, error: OptionError, used: list[str]) -> None:
        """Add to an error which of the options that it is about come from the defaults."""
        named = [name for name in used if name == error.option or name in error.others]
        if named:
            error.args = (f"{error}; {' and '.join(named)}: from the defaults of the System, System(dispatch=...)",)
