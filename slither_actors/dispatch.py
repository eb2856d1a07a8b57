"""The Dispatcher: run, stream and call batches of items on the pools of one System."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from slither_actors.errors import DispatchError, OptionError, OptionTypeError
from slither_actors.item import Item
from slither_actors.loops import warn_in_loop
from slither_actors.option_parsing import parse_options
from slither_actors.option_types import CallKwargs, RunKwargs
from slither_actors.run_options import RunOptions
from slither_actors.runs.output.blocking_driver import drive
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.output.stream import Stream

# asyncio is imported on first use: that alone takes some 50 ms, which a command-line program would pay for nothing.
if TYPE_CHECKING:
    from slither_actors.runs.output.async_stream import AsyncStream

BATCHING_OPTIONS = ("strategy", "batch_size", "linger", "prefetch", "max_in_flight")


STRATEGY_OPTIONS = ("batch_size", "linger")


class Engine(Protocol):
    """What a System offers its dispatcher."""

    def open_run(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started."""


class Dispatcher:
    """`run`, `stream` and `call_batch` on one System (``system.dispatch``).

    Args:
        engine: the System.
        defaults: options for what a call does not say; `batch_size` and `linger` only where it names no strategy.
    """

    def __init__(self, engine: Engine, defaults: Mapping[str, object] | None = None) -> None:
        self._engine = engine
        self._defaults = dict(defaults or {})

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
        return self._run(items, options)

    def _run(self, items: Iterable[Any], options: Mapping[str, object], *, ready: bool = False) -> list[Item]:
        consumer = self._open(items, options, ready=ready)
        with _gathering(consumer) as results:
            for piece in drive(consumer):
                results += piece
                consumer.run.ledger.emitted += len(piece)
        return results

    def stream(self, items: Iterable[Any], **options: Unpack[RunKwargs]) -> Stream:
        """Dispatch items lazily; see `Dispatch.stream`."""
        return Stream(self._open(items, options))

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
        return self._run(batch, _as_it_is(batch, options, "call_batch"), ready=True)

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
        return await self._arun(items, options)

    async def _arun(self, items: Source, options: Mapping[str, object], *, ready: bool = False) -> list[Item]:
        from slither_actors.runs.output.asyncio_driver import AsyncioDriver

        consumer = self._open(items, options, asynchronous=True, ready=ready)
        drive = AsyncioDriver(consumer)
        try:
            with _gathering(consumer) as results:
                while (piece := await drive.next()) is not None:
                    results += piece
                    consumer.run.ledger.emitted += len(piece)
        except GeneratorExit:
            raise  # destroyed, as its loop is gone: nothing may be awaited any more
        except BaseException:
            await drive.aclose()
            raise
        await drive.aclose()
        return results

    def astream(self, items: Source, **options: Unpack[RunKwargs]) -> AsyncStream:
        """`stream` for asyncio; see `arun` for what happens where."""
        from slither_actors.runs.output.async_stream import AsyncStream

        return AsyncStream(self._open(items, options, asynchronous=True))

    async def acall_batch(self, batch: Sequence[Any], **options: Unpack[CallKwargs]) -> list[Item]:
        """`call_batch` for asyncio."""
        return await self._arun(batch, _as_it_is(batch, options, "acall_batch"), ready=True)

    def _open(
        self, items: Source, options: Mapping[str, object], *, asynchronous: bool = False, ready: bool = False
    ) -> Consumer:
        check_source(items, asynchronous)
        given = self._with_defaults(options)
        try:
            parsed = parse_options(given, ready=ready)
        except OptionError as error:
            self._name_defaults(error, [name for name in given if name not in options])
            raise
        return self._engine.open_run(items, parsed)

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


def check_source(items: Source, asynchronous: bool) -> None:
    """Refuse a source that cannot be iterated, or only asynchronously where that is not possible, with the remedy."""
    kind = type(items)
    if hasattr(kind, "__iter__") or hasattr(kind, "__getitem__"):
        return
    if not hasattr(kind, "__aiter__"):
        remedy = ""
        if hasattr(kind, "__await__"):
            remedy = "; await it, and give what comes of it"
        elif hasattr(items, "__code__"):
            remedy = "; call it, and give what it returns"
        elif hasattr(kind, "execute"):
            remedy = "; give the rows of a query"
        raise OptionTypeError(f"items must be iterable, {kind.__name__} is not{remedy}", "items")
    if not asynchronous:
        message = f"items must be iterable, {kind.__name__} is only asynchronously: use arun or astream"
        raise OptionTypeError(message, "items")


def _as_it_is(batch: Sequence[Any], options: Mapping[str, object], call: str) -> dict[str, object]:
    """Return the options of a run with this one batch."""
    if not isinstance(batch, (list, tuple)):
        kind = type(batch)
        remedy = f"; give list() of it, or use {'arun' if call == 'acall_batch' else 'run'}, which makes batches"
        if not hasattr(kind, "__iter__"):
            remedy = "; arun takes it, and makes batches" if hasattr(kind, "__aiter__") else ""
        raise OptionTypeError(f"{call} takes a list or tuple of items, not {kind.__name__}{remedy}", "batch")
    others = "arun or astream" if call == "acall_batch" else "run or stream"
    for name in BATCHING_OPTIONS:
        if name in options:
            raise OptionError(
                f"{call} sends the batch as it is: {name!r} has no meaning here; use {others} for it",
                name,
            )
    return {**options, "batch_size": max(1, len(batch)), "max_in_flight": 1}


@contextmanager
def _gathering(consumer: Consumer) -> Iterator[list[Item]]:
    """Give a list for all results of a run; if it fails, they are put into its error."""
    results: list[Item] = []
    try:
        yield results
    except DispatchError as error:
        error.partial_results[:0] = results
        raise
    finally:
        consumer.close()
