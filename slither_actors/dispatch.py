"""The facade: run, stream and call batches of items on a pool of workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from slither_actors.errors import DispatchError, OptionError, OptionTypeError
from slither_actors.item import Item
from slither_actors.options import RunOptions, parse_options
from slither_actors.pipeline.stream import Stream

if TYPE_CHECKING:
    from slither_actors.pipeline.consumer import Consumer

BATCHING_OPTIONS = ("strategy", "batch_size", "linger", "prefetch", "max_in_flight")


class Engine(Protocol):
    """What a System offers its dispatcher."""

    def open_run(self, items: Iterable[Any], options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started."""


class Dispatcher:
    """`run`, `stream` and `call_batch` on one System (``system.dispatch``).

    Args:
        engine: the System.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, items: Iterable[Any], **options: Any) -> list[Item]:
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
        consumer = self._open(items, options)
        results: list[Item] = []
        pieces = consumer.pieces()
        try:
            for piece in pieces:
                results += piece
                consumer.run.emitted += len(piece)
        except DispatchError as error:
            error.partial_results[:0] = results
            raise
        finally:
            consumer.close()
        return results

    def stream(self, items: Iterable[Any], **options: Any) -> Stream:
        """Dispatch items lazily; see `Dispatch.stream`."""
        return Stream(self._open(items, options))

    def call_batch(self, batch: Sequence[Any], **options: Any) -> list[Item]:
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
        if not isinstance(batch, (list, tuple)):
            raise OptionTypeError(f"call_batch takes a list or tuple of items, not {type(batch).__name__}")
        for name in BATCHING_OPTIONS:
            if name in options:
                raise OptionError(
                    f"call_batch sends the batch as it is: {name!r} has no meaning here; use run or stream for it"
                )
        return self.run(batch, batch_size=max(1, len(batch)), max_in_flight=1, **options)

    def _open(self, items: Iterable[Any], options: dict[str, Any]) -> Consumer:
        kind = type(items)
        if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
            hint = " (for an asynchronous source there is no support here yet)" if hasattr(kind, "__aiter__") else ""
            raise OptionTypeError(f"items must be iterable, {kind.__name__} is not{hint}")
        return self._engine.open_run(items, parse_options(options))


def _dispatcher() -> Dispatcher:
    # Imported on first use: the System imports this module.
    from slither_actors.running import current_system

    return current_system().dispatch


class Dispatch:
    """Batched dispatch on the System that was started last, or else on a default one with a pool "default".

    `System.dispatch` has the same methods for exactly that System.
    """

    @staticmethod
    def run(items: Iterable[Any], **options: Any) -> list[Item]:
        """Dispatch all items and return all results: `Dispatcher.run`."""
        return _dispatcher().run(items, **options)

    @staticmethod
    def stream(items: Iterable[Any], **options: Any) -> Stream:
        """Dispatch items lazily.

        Options are checked at this call; nothing is pulled before the stream is iterated.

        Args:
            items: any iterable of Items or bare payloads, finite or not.
            executor: SnakeBridge, Snakepit, an own RemoteExecutor or InlineExecutor (class or instance); not needed
                where `function` or `command` tells.
            module, function, each: for SnakeBridge: what the workers call; ``each=True`` calls it with one payload at
                a time.
            command: for Snakepit: a command of the pool's adapter.
            pool: its name; "default" or the only one unless given.
            strategy: FixedBatch, WeightedBatch, KeyPartition or an own one (class or instance), with its own options.
            batch_size: items in a batch (the strategy's own default unless given).
            max_in_flight: workers that this run may occupy at a time (8).
            prefetch: batches beyond that which may be pulled ahead (3 for each of max_in_flight; 0 sends none ahead).
            max_in_flight_bytes: nothing new is encoded while encoded requests and held replies exceed it (no bound).
            ordering: "preserve" (input order) or "as_completed".
            on_error: "halt", "skip", Retry(...) or Route(function).
            timeout: seconds a batch may take before its worker is killed (30.0; None for no bound).
            linger: seconds after which a part-filled batch is sent (only full ones unless given).
            context: Context; its session id travels with each batch.

        Raises:
            OptionError: an option is unknown or has a bad value.
        """
        return _dispatcher().stream(items, **options)

    @staticmethod
    def call_batch(batch: Sequence[Any], **options: Any) -> list[Item]:
        """Dispatch one ready batch: `Dispatcher.call_batch`."""
        return _dispatcher().call_batch(batch, **options)
