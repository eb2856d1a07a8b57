"""The dynamic batcher: ``y = await score(x)`` from many tasks, ``score.submit(x)`` from many threads."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from sys import is_finalizing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from slither_actors.dynamic_batcher.home import Home
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.dynamic_batcher.statistics import Counts, DynamicBatcherStatistics, summed
from slither_actors.dynamic_batcher.thread_home import ThreadHome
from slither_actors.errors import FINALIZING, BatcherClosed, Overloaded, SystemStopped
from slither_actors.option_types import ChunkKwargs
from slither_actors.prepared_call import PreparedCall
from slither_actors.requests.requester import Requester
from slither_actors.runs.live_runs import LiveRuns
from slither_actors.validation.kinds import Seconds, Whole
from supervisors import Scheduler
from supervisors.runtime.interrupts import locked

if TYPE_CHECKING:
    import asyncio

    from slither_actors.dynamic_batcher.loop_home import LoopHome
    from slither_actors.runs.chunks.stream import ChunkStream

_DEADLINE = Seconds()
_PRIORITY = Whole(-1_000_000, 1_000_000)


class DynamicBatcher:
    """Puts single calls of one function into batches. Made by `System.batcher`.

    While a worker is idle a call goes to it at once, together with those of the same turn of the event loop; batches
    form while all workers are busy. One that fails does so for the call at fault only. Several event loops and threads
    may share one; calls of different event loops are not put into one batch.

    Use it as a context manager, or as an asynchronous one: at its end it takes no more calls, and has answered all.

    Args:
        requester: sends the batches.
        options: of the batcher.
        scheduler: of the System.
        live: the runs of the System, among which what waits here is counted.
        check_takes_calls: raises what says why the System takes no calls, if it takes none.
        prepared: the same function without batches, for streams of chunks.
    """

    def __init__(
        self,
        requester: Requester,
        options: BatcherOptions,
        scheduler: Scheduler,
        live: LiveRuns,
        check_takes_calls: Callable[[], None],
        prepared: PreparedCall,
    ) -> None:
        self._make = (requester, options, requester.workers, scheduler)
        self._prepared = prepared
        self._live = live
        self._check_takes_calls = check_takes_calls
        self._closed = False
        self._loops: dict[Any, LoopHome] = {}
        self._last: LoopHome | None = None
        self._threads: ThreadHome | None = None
        self._ended: list[Counts] = []  # of loops that are closed
        self._lock = threading.RLock()
        self._running_loop: Any = None
        known = weakref.ref(self)
        live.count_also(id(self), lambda: batcher._waiting() if (batcher := known()) is not None else 0)
        weakref.finalize(self, live.count_not, id(self))

    def __call__(self, value: Any, *, priority: int = 0, deadline: float | None = None) -> asyncio.Future[Any]:
        """Call the function with one value, from a task of an event loop: ``y = await score(x)``.

        Args:
            value: what it is called with.
            priority: of two calls that wait, the one with the higher number goes first.
            deadline: seconds for the whole call, waiting included; by default the batcher's.

        Returns:
            The future of its result. To cancel it, or the task that awaits it, takes the call out of its batch, or
            drops the result if that is executed already.

        Raises:
            OptionError: priority or deadline is no such number.
            Overloaded: `max_queue` calls wait.
            StrategyError: `weight_fn` gave no weight.
            BatcherClosed: the batcher was closed.
            SystemStopped: the System takes no calls (any more).
            ForkedSystemError: this process was forked from the System's.
            RuntimeError: no event loop runs here: use `submit`.
        """
        home = self._last
        if home is None or home.loop is not self._running_loop():
            home = self._home_of_loop()
        if not priority and deadline is None:
            return home.call(value)
        _check(priority, deadline)
        return home.call_with(value, priority, deadline)

    def submit(self, value: Any, *, priority: int = 0, deadline: float | None = None) -> Future[Any]:
        """Call the function with one value, from a thread.

        Arguments and errors as for a call from a task.

        Returns:
            The future of its result. Its callbacks run on a thread of the batcher's.
        """
        self._check_open()
        if priority != 0 or deadline is not None:
            _check(priority, deadline)
        home = self._threads
        if home is None:
            home = locked(self._lock, self._make_threads)
        return home.call(value, priority, deadline)

    def map(self, values: Iterable[Any], *, ahead: int | None = None) -> Iterator[Any]:
        """Call the function with each value, from a thread; yield the results in order.

        Args:
            values: pulled as results are taken, and no faster than `max_queue` has room.
            ahead: calls that may be under way; by default what two batches for each worker take.

        Raises:
            WorkerError, WorkerCrashed, BatchTimeout, PayloadError, ...: the first call that failed, in its turn.
        """
        _, options, workers, _ = self._make
        most = ahead if ahead is not None else 2 * options.max_batch_size * workers
        waiting: deque[Future[Any]] = deque()
        try:
            for value in values:
                while True:
                    try:
                        waiting.append(self.submit(value))
                        break
                    except Overloaded:  # by this one's calls too: the next one has room when they are done
                        if not waiting:
                            raise
                    yield waiting.popleft().result()
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def stream_one(self, value: object, **bounds: Unpack[ChunkKwargs]) -> ChunkStream:
        """Call a function that yields, and get its chunks as they come: `PreparedCall.stream_one`. In no batch.

        Raises:
            OptionError: an option is wrong.
            BatcherClosed, SystemStopped: it takes no calls.
        """
        self._check_open()
        return self._prepared.stream_one(value, **bounds)

    def statistics(self) -> DynamicBatcherStatistics:
        """Return what it has done, and holds. From any thread; exact while nothing moves."""
        homes = self._homes()
        waiting = {home: [call for call in home.queue.snapshot() if not call.future.done()] for home in homes}
        under_way = [calls for home in homes for calls in [*home.in_flight.values(), *home.settling.values()]]
        return summed(
            [*self._ended, *(home.counts for home in homes)],
            queue=sum(map(len, waiting.values())),
            oldest=max(
                (home.now() - min(call.since for call in calls) for home, calls in waiting.items() if calls),
                default=0.0,
            ),
            executing=sum(not call.future.done() for calls in under_way for call in calls),
            in_flight=sum(len(home.in_flight) for home in homes),
        )

    # -- its end

    async def aclose(self) -> None:
        """Take no more calls, and wait until each has its answer. From an event loop; may be repeated."""
        self._closed = True
        mine = self._home_of_loop() if self._loops else None
        if mine is not None:
            await mine.drain()
        others = [home for home in self._homes() if home is not mine]
        if others:
            from slither_actors.run_in_thread import run_in_thread

            await run_in_thread(lambda: self._drain(others), "slither-batcher-close")
        self._live.count_not(id(self))

    def close(self) -> None:
        """Take no more calls, and wait until each has its answer. From a thread; may be repeated.

        Event loops that have called it must still run, or be closed.

        Raises:
            RuntimeError: this is the thread of such a loop: await `aclose`.
        """
        if any(is_running_here(home.loop) for home in list(self._loops.values())):
            raise RuntimeError("close() waits for calls of the event loop that runs in this thread: await aclose()")
        self._closed = True
        self._drain(self._homes())
        self._live.count_not(id(self))

    @staticmethod
    def _drain(homes: list[Home]) -> None:
        for home in homes:
            home.drain_from_thread()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- its parts

    def _check_open(self) -> None:
        if self._closed:
            raise BatcherClosed("this batcher was closed, and takes no more calls")
        if is_finalizing():
            raise SystemStopped(FINALIZING)
        self._check_takes_calls()

    def _home_of_loop(self) -> LoopHome:
        if self._running_loop is None:
            from asyncio import get_running_loop

            self._running_loop = get_running_loop
        from slither_actors.dynamic_batcher.loop_home import LoopHome

        loop = self._running_loop()
        found = self._loops.get(loop)
        if found is None:
            for known in list(self._loops):
                if known.is_closed() and (ended := self._loops.pop(known, None)) is not None:
                    self._ended.append(ended.counts)
            requester, options, workers, scheduler = self._make
            found = self._loops.setdefault(
                loop, LoopHome(requester, options, workers, scheduler, loop, self._check_open)
            )
        self._last = found
        return found

    def _make_threads(self) -> ThreadHome:
        if self._threads is None:
            self._threads = ThreadHome(*self._make)
        return self._threads

    def _homes(self) -> list[Home]:
        homes: list[Home] = list(self._loops.values())
        return [*homes, self._threads] if self._threads is not None else homes

    def _waiting(self) -> int:
        return sum(home.waiting() for home in self._homes())


def _check(priority: object, deadline: object) -> None:
    _PRIORITY.check("priority", priority)
    if deadline is not None:
        _DEADLINE.check("deadline", deadline)


def is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether an event loop runs in the calling thread."""
    import asyncio

    return asyncio._get_running_loop() is loop
