"""The facts that the actors of one run share: set when it starts, or counters that one thread writes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from operator import length_hint
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Protocol

from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.flow.credit import Credit

if TYPE_CHECKING:
    from slither_actors.item import Item
    from slither_actors.pools.assignment.job import RunQueue
    from slither_actors.run_options import RunOptions
    from slither_actors.runs.batch import Batch
    from supervisors import Scheduler

_run_ids = itertools.count(1).__next__


class Inbox(Protocol):
    """Where the run's actors put what they have for the consumer."""

    def put(self, item: Any, /) -> None:
        """Add a message. From any thread; never blocks."""

    def empty(self) -> bool:
        """Whether there is nothing to take at once."""


class Run:
    """One run.

    Args:
        options: validated.
        scheduler: of the System that it runs in.
    """

    __slots__ = (
        "__weakref__",
        "_cut",
        "awaiting_retry",
        "batched",
        "batcher",
        "blamed",
        "broken",
        "budget",
        "closed",
        "collector",
        "credit",
        "emitted",
        "failed",
        "fed",
        "id",
        "inbox",
        "next_ref",
        "options",
        "pid",
        "producer",
        "reading",
        "resolved",
        "retries",
        "routed",
        "run_queue",
        "scheduler",
        "skipped",
        "source_done",
        "starving",
        "stuck",
        "undelivered",
        "unread_failed",
        "unread_routed",
        "unread_skipped",
    )

    def __init__(self, options: RunOptions, scheduler: Scheduler) -> None:
        self.id = _run_ids()
        self.options = options
        self.pid = os.getpid()
        self.scheduler = scheduler
        self.inbox: Inbox = SimpleQueue()  # or what the consumer's driver puts in its place before the run starts
        self.next_ref = itertools.count(1).__next__
        strategy = options.strategy
        self.credit = Credit(
            options.max_in_flight + options.prefetch,
            options.batch_size or strategy.batch_size,
            unbounded=strategy.whole_input,
        )
        self.run_queue: RunQueue = None  # type: ignore[assignment]  # set with the collector, before anything runs
        self.collector: Any = None
        self.batcher: Any = None
        self.producer: Any = None
        self.closed = False
        self.broken = False  # its Collector has ended it with an error
        # Batches that exist and are not delivered, by reference. Batcher adds, consumer removes; where some items of
        # one are delivered the Collector leaves the rest of it here. So at any time it names what is on its way.
        self.undelivered: dict[int, Batch] = {}
        # Failed ("halt"), or closed by its consumer: what was not handed out is dropped.
        self._cut: dict[str, Literal["halt", "close"]] = {}
        self.reading: Iterator[Item] = iter(())  # what the consumer is in the middle of
        self.stuck: Callable[[Any], None] = lambda role: None
        # What the caller's own code has raised, and the words for which part of it: for the message of the run's error.
        self.blamed: list[tuple[BaseException, str]] = []
        self.starving = False
        self.source_done = False
        self.budget: ByteBudget | None = None
        # The ledger, in items. Each is written by one thread and only grows (awaiting_retry is a level).
        self.fed = 0  # to the strategy
        self.batched = self.resolved = self.emitted = self.skipped = self.routed = 0
        self.retries = self.failed = self.awaiting_retry = 0
        # By the consumer: items of replies that cannot be decoded, which are beyond the Collector's counters.
        self.unread_failed = self.unread_skipped = self.unread_routed = 0

    @property
    def cut_short(self) -> Literal["halt", "close"] | None:
        """How it was, if it was."""
        return self._cut.get("how")

    def cut(self, how: Literal["halt", "close"]) -> bool:
        """It is cut short. False if it was, in the other way: the first word counts, whichever threads say it."""
        return self._cut.setdefault("how", how) == how

    def drop_reading(self) -> None:
        """What the consumer is in the middle of is handed out no further. By the consumer."""
        self.emitted -= length_hint(self.reading)
        self.reading = iter(())

    def room(self) -> int:
        """Items that may be pulled now, by a Producer that has to be told to stop.

        Where bytes are counted, what is pulled and was not fed to the strategy yet is of unknown size: little of it.
        """
        credit, budget = self.credit, self.budget
        room = credit.room()
        if budget is None or room <= 0 or credit.unbounded:
            return room
        if budget.full():
            return 0
        return min(room, self.fed + budget.ahead() - credit.pulled)

    def blame(self, error: BaseException, failed: str) -> None:
        """Say which part raised `error`, as in "the source failed after 3 items". The first word on an error counts."""
        self.blamed.append((error, failed))

    def over(self) -> bool:
        """Whether it has ended, for loops that watch for another thread's word."""
        return self.closed
