"""The Producer: owns the caller's iterator and pulls as many items as there is credit for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from slither_actors.runs.input.buffers import BufferGuard
from slither_actors.runs.input.run_thread_actor import RunThreadActor
from slither_actors.runs.messages import CloseRun, ProducerMessage, RunFailed, SourceEnded, Wake
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import ProducerStatistics
from supervisors import ExitReason, Ref

IN_MEMORY_TYPES = frozenset({list, tuple, range, str, bytes, dict, set, frozenset, deque})
IN_MEMORY_ITERATORS = frozenset(
    {
        type(iter([])),
        type(iter(())),
        type(iter(range(0))),
        type(iter(range(1 << 70))),
        type(iter(reversed([]))),
        type(iter({})),
        type(iter({}.keys())),
        type(iter({}.values())),
        type(iter({}.items())),
        type(iter(set())),
        itertools.count,
        itertools.repeat,
    }
)
"""Iterators of the interpreter's own: taking an item from one neither blocks nor runs user code, so the consumer can
pull them itself. A `count` of the user's own number type runs its ``__add__``, which is accepted."""


def in_memory(items: Iterable[Any]) -> bool:
    """Return whether pulling `items` only takes what is in memory already."""
    kind = type(items)
    return (
        kind in IN_MEMORY_TYPES
        or kind in IN_MEMORY_ITERATORS
        or kind in (type({}.keys()), type({}.values()), type({}.items()))
    )


class ProducerActor(RunThreadActor):
    """Pulls a lazy source.

    Runs in: a thread of its own, as the source is user code that may block without end. Owns: the iterator, which it
    closes if it made it itself. If it dies: its run fails with the cause once what it had pulled is delivered.

    Args:
        run: whose source it is.
        items: the source.
        buffer: where items are put down, each before the next is asked for; the Batcher takes them from there.
    """

    def __init__(self, run: Run, items: Iterable[Any], buffer: deque[Any]) -> None:
        super().__init__(run)
        self._items: Iterable[Any] | None = items
        self._credit = run.credit
        self._guard = BufferGuard()
        self._buffer = buffer
        self._iterator: Iterator[Any] | None = None
        self._done = False
        self.waiting = False
        run.producer = self

    @property
    def inbox_ref(self) -> Ref[ProducerMessage]:
        """Where messages for it go."""
        return self.actor_ref

    def on_receive(self, message: ProducerMessage) -> None:
        """Pull while there is credit."""
        if isinstance(message, CloseRun) or self._run.ending.closed:
            self.stop()
        elif not self._done:  # else the Wake was sent before the end, and is read before the stop that this asked for
            self._pull()

    def statistics(self) -> ProducerStatistics:
        """Return what it is doing now. From any thread."""
        return ProducerStatistics(self._credit.pulled, max(0, self._credit.room()), self.waiting)

    def wake(self) -> None:
        """Report that there is more credit. Sends a message only if it waits for that."""
        if self.waiting:
            self.waiting = False
            self.actor_ref.tell(Wake())

    def _pull(self) -> None:
        run, buffer, guard = self._run, self._buffer, self._guard
        credit, ending, batcher = run.credit, run.ending, run.batcher
        assert batcher is not None  # made before the Producer
        error: BaseException | None = None
        try:
            if self._iterator is None:
                assert self._items is not None
                self._iterator = iter(self._items)
            put = buffer.append
            while not self._done:
                room = run.room()
                if room <= 0:
                    self.waiting = True  # before the second look, so that no credit comes unseen
                    if run.room() <= 0 and not ending.closed:
                        if run.budget is not None:
                            batcher.inbox_ref.tell(Wake())  # what all wait for may be inside the strategy
                        return
                    self.waiting = False
                    if ending.closed:
                        break
                    continue
                before = credit.pulled
                for entry in itertools.islice(self._iterator, room):
                    if type(entry) not in guard.untouched:
                        entry = guard.owned(entry)
                    credit.pulled += 1
                    put(entry)
                    if batcher.idle:
                        batcher.idle = False
                        batcher.inbox_ref.tell(Wake())
                    if ending.closed:
                        break
                if ending.closed or credit.pulled - before < room:
                    break
        except BaseException as failure:
            error = failure
        self._done = True
        if not ending.closed:
            run.source_done = True
            batcher.inbox_ref.tell(SourceEnded(error))
        error = None  # its traceback holds this frame, and with it the source
        self.stop()

    def on_exit(self, reason: ExitReason) -> None:
        """Close the iterator, in the thread that used it, and drop the source here, where its finalizers may run."""
        run = self._run
        super().on_exit(reason)
        iterator, items = self._iterator, self._items
        self._iterator = self._items = None
        if run.ending.cut_short == "close":
            self._buffer.clear()
        if iterator is not None and iterator is not items:
            close = getattr(iterator, "close", None)
            if close is not None:
                try:
                    close()
                except BaseException as error:
                    if not run.ending.closed and not self._done:
                        run.collector.tell(RunFailed(error))
