"""The Batcher: feeds items to the strategy, encodes what it gives, and rebuilds batches (split, routed, retried).

It is a role, not a thread. For a lazy source it is an actor with a thread of its own (`BatcherActor`); for one that is
in memory already the consumer plays it between two results, which saves the hops between threads.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeGuard

from slither_actors.errors import StrategyError
from slither_actors.item import Item
from slither_actors.runs.batch import Batch, wrap_bare
from slither_actors.runs.flow.pacing import CHUNK_BATCHES
from slither_actors.runs.input.batch_sender import BatchSender
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.input.unsendable import take_out
from slither_actors.runs.messages import (
    BatchRequest,
    InputEnd,
    SourceEnded,
)
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import BatcherStatistics
from slither_actors.wording import shown


class Batcher:
    """The role. All its methods are called by one thread.

    Args:
        run: whose items these are.
        encoder: None for an inline executor, which takes the items themselves.
        clock: seconds, for `linger`.
    """

    def __init__(self, run: Run, encoder: RequestEncoder | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._sender = BatchSender(run, encoder)
        self._target, self._side = (None, b"") if encoder is None else (encoder.target, encoder.side)
        self._clock = clock
        strategy = self._strategy = run.options.strategy
        self._bare = strategy.opaque
        self._stumbles = encoder is not None and encoder.finds_items
        if encoder is not None:
            encoder.take_out = partial(take_out, run)
        self._linger = run.options.linger
        self._fed = 0
        self._next = 0  # position of the next item to be pulled, or, where the strategy sets the order, to be batched
        # What the strategy holds, by item id: the items with their positions, the oldest first. Not kept for an opaque
        # one: it gives what it got, in order.
        self._inside: dict[Any, list[tuple[Item, int]]] = {}
        self._since: dict[int, float] = {}
        self._opened = 0.0
        self._unfed: list[Any] = []  # ids of items that the strategy was not given any more
        self._closed_by = "full"  # another reason while the strategy is asked for what is not

    @property
    def inside(self) -> int:
        """Items inside the strategy."""
        return self._fed - self._run.ledger.batched

    def statistics(self) -> BatcherStatistics:
        """Return what it holds now. From any thread."""
        batched = self._run.ledger.batched  # first: it never exceeds what was fed
        return BatcherStatistics(inside=self._fed - batched, unencoded=len(self._sender.backlog), batched=batched)

    def close(self) -> None:
        """Make no more batches. Called by the thread whose role this is."""
        self._sender.close()

    # -- items

    def feed(self, entries: list[Any]) -> None:
        """Feed the next items of the source, in order; Items or bare payloads."""
        if not entries:
            return
        strategy = self._strategy
        if self._linger is not None and self._fed == self._run.ledger.batched:
            self._opened = self._clock()
        self._fed += len(entries)
        if not self._bare:
            entries = self._admit(entries)
        try:
            self._take(strategy.extend(entries))
        except BaseException as error:
            self._strategy_failed(error, "extend")
            raise
        self._run.ledger.fed = self._fed
        self._starve()

    def adopt(self, count: int) -> None:
        """Record that all items of the run, so many, are in a batch that was made already."""
        ledger = self._run.ledger
        self._fed = self._next = ledger.fed = ledger.batched = count

    def finish(self, ended: SourceEnded) -> None:
        """Flush the strategy, as the source has ended, and report the length of the run with the last batches."""
        self._closed_by = "end"
        try:
            self._take(self._strategy.flush(), last=True)
        except BaseException as error:
            self._strategy_failed(error, "flush")
            raise
        if self._run.ledger.batched != self._fed:
            self._sender.flush()
            raise StrategyError(
                f"after flush {type(self._strategy).__name__} still holds {self._fed - self._run.ledger.batched} items",
                self.held_ids(),
            )
        self._sender.input_end = InputEnd(self._fed, ended.error)
        self.look()

    def look(self) -> None:
        """Look at the shared state again: there may be room for bytes, or the strategy may hold what all wait for."""
        self._sender.flush()
        self._starve()

    def _admit(self, entries: list[Any]) -> list[Item]:
        """Wrap what is bare, and remember where each item stands."""
        items: list[Item] = []
        inside, position = self._inside, self._next
        for entry in entries:
            item = entry if type(entry) is Item else Item.wrap(entry, id=position)
            try:
                places = inside.get(item.id)
            except TypeError:
                self._unfed = name_entries(entries[len(items) :], position)
                text = f"the id of item {position} cannot be hashed: {shown(item.id)}"
                raise StrategyError(text, [item.id]) from None
            if places is None:
                inside[item.id] = [(item, position)]
            else:
                places.append((item, position))
            items.append(item)
            position += 1
        self._next = position
        if self._linger is not None:
            now = self._clock()
            self._since.update((at, now) for at in range(position - len(items), position))
        return items

    def _take(self, groups: Iterable[Sequence[Any]], *, last: bool = False) -> None:
        ledger = self._run.ledger
        before = ledger.batched
        if self._stumbles and self._bare and self._run.credit.fixed and _are_plain(groups):
            self._make_plain(groups)
        else:
            self._make(groups)
        if self._linger is not None and ledger.batched != before:
            self._opened = self._clock()  # what is open now came with what closed the batch before it
        if self._sender.backlog and not last:
            self._sender.flush()

    def _make(self, groups: Iterable[Sequence[Any]]) -> None:
        """Make batches of what a strategy gave."""
        run, backlog = self._run, self._sender.backlog
        ledger = run.ledger
        ref, undelivered, run_queue, credit = run.next_ref, run.undelivered, run.run_queue, run.credit
        target, side = self._target, self._side
        batched = ledger.batched
        closed_by, fixed = self._closed_by, credit.fixed
        for group in groups:
            entries = group if type(group) is list else self._listed(group)
            size = len(entries)
            if not size:
                continue
            if self._bare:
                if self._stumbles and type(entries[0]) is not Item:
                    bare = True  # should there be an Item behind the first, then the encoder will stumble over it
                else:
                    bare, entries = self._wrapped(entries, batched)
                positions: Sequence[int] = range(batched, batched + size)
            else:
                bare = False
                positions = self._positions(entries)
            ledger.batched = batched = batched + size
            number = ref()
            undelivered[number] = batch = Batch(
                run_queue,
                number,
                size,
                target,
                side,
                positions=positions,
                entries=entries,
                bare=bare,
                closed_by=closed_by,
            )
            if not fixed:
                credit.made(size)
            backlog.append(batch)
            if len(backlog) >= CHUNK_BATCHES:
                self._sender.flush()

    def _make_plain(self, groups: list[list[Any]]) -> None:
        """Do the same for bare payloads in batches of a size that is known, which takes less."""
        run, sender, ledger, closed_by = self._run, self._sender, self._run.ledger, self._closed_by
        ref, undelivered, run_queue = run.next_ref, run.undelivered, run.run_queue
        target, side, append = self._target, self._side, sender.backlog.append
        start, chunk = ledger.batched, run.credit.chunk()
        left = chunk - len(sender.backlog)
        for entries in groups:
            size = len(entries)
            number = ref()
            end = start + size
            undelivered[number] = batch = Batch(
                run_queue,
                number,
                size,
                target,
                side,
                positions=range(start, end),
                entries=entries,
                bare=True,
                closed_by=closed_by,
            )
            append(batch)
            start = end
            left -= 1
            if left <= 0:
                ledger.batched = end
                sender.flush()
                left = chunk
        ledger.batched = start

    def _listed(self, group: Any) -> list[Any]:
        if not isinstance(group, (list, tuple)):
            raise StrategyError(f"{type(self._strategy).__name__} gave {shown(group)} in place of a batch", [])
        return list(group)

    def _wrapped(self, entries: list[Any], start: int) -> tuple[bool, list[Any]]:
        """Whether they are bare payloads, and the entries: of Items and bare ones in one batch all are wrapped."""
        kinds = set(map(type, entries))
        if Item not in kinds:
            return True, entries
        return False, entries if len(kinds) == 1 else wrap_bare(entries, start)

    def _positions(self, items: list[Any]) -> Sequence[int]:
        """Where these items stand in the output; each must be one that the strategy holds."""
        inside = self._inside
        places: list[int] = []
        for item in items:
            held = inside.get(item.id) if isinstance(item, Item) else None
            if not held:
                # Those before it stay inside, to be named with the rest of what will not come out.
                for taken, place in zip(items, places, strict=False):
                    inside.setdefault(taken.id, []).append((taken, place))
                raise StrategyError(
                    f"{type(self._strategy).__name__} gave {_named(item)}, which it was not given, or gave it twice",
                    [getattr(item, "id", None)],
                )
            # Usually the very object that the strategy was given; else one that it made of it, which has the same id.
            _, place = held.pop(next((i for i, (given, _) in enumerate(held) if given is item), 0))
            if not held:
                del inside[item.id]
            self._since.pop(place, None)
            places.append(place)
        if self._strategy.whole_input:
            return range(self._run.ledger.batched, self._run.ledger.batched + len(places))
        if any(b <= a for a, b in itertools.pairwise(places)):
            # The strategy decides on the order inside a batch, not on that of the results.
            order = sorted(range(len(places)), key=places.__getitem__)
            items[:] = [items[i] for i in order]
            places.sort()
        if places[-1] - places[0] + 1 == len(places):
            return range(places[0], places[-1] + 1)
        return tuple(places)

    # -- a strategy never stalls a run

    def _starve(self) -> None:
        """Nothing more is pulled, and the oldest undelivered item is inside the strategy: only we can get it out."""
        run = self._run
        while self._fed > run.ledger.batched and not run.source_done:
            run.starving = True  # before the look, so that a change after it wakes us
            used_up = run.credit.used_up()
            if not used_up and (run.producer is None or run.budget is None or not run.budget.full()):
                return
            if run.credit.pulled > self._fed:
                return  # more is on its way to us
            oldest = self._oldest()
            if any(batch.positions[0] < oldest for batch in list(run.undelivered.values())):
                return
            if used_up and run.credit.widen(len(run.undelivered)):
                self._wake_producer()
                return
            before = run.ledger.batched
            self._release("window")
            if run.ledger.batched == before:
                raise StrategyError(f"{type(self._strategy).__name__}.release gave nothing", self.held_ids())
        run.starving = False

    def _oldest(self) -> int:
        if self._bare:
            return self._run.ledger.batched
        return min(held[0][1] for held in self._inside.values())

    def _wake_producer(self) -> None:
        if self._run.producer is not None:
            self._run.producer.wake()

    def lingers_until(self) -> float | None:
        """When the open batch has waited long enough, by the clock; None while nothing waits or `linger` is not set."""
        if self._linger is None or self._fed == self._run.ledger.batched:
            return None
        since = self._opened if self._bare else min(self._since.values())
        return since + self._linger

    def on_linger(self) -> None:
        """Release what has waited too long."""
        until = self.lingers_until()
        if until is not None and until <= self._clock():
            self._release("linger")

    def _release(self, closed_by: str) -> None:
        self._closed_by = closed_by
        try:
            self._take(self._strategy.release())
        except BaseException as error:
            self._strategy_failed(error, "release")
            raise
        self._closed_by = "full"

    def _strategy_failed(self, error: BaseException, method: str) -> None:
        failed = f"the strategy {type(self._strategy).__name__} failed"
        if not isinstance(error, StrategyError):  # which says itself what was wrong with which items
            failed = f"{failed} in {self._strategy._failed_in(error) or method}"
        self._run.ending.blame(error, failed)

    def rebuild(self, request: BatchRequest) -> None:
        """Make batches of one that failed, or ask where its items go."""
        self._sender.rebuild(request)

    def held_ids(self) -> list[Any]:
        """Return the ids of the items inside the strategy, which is flushed for it: the last use of it."""
        if self._bare:
            return name_entries(
                [entry for group in self._strategy.flush() for entry in group], self._run.ledger.batched
            )
        return [item_id for item_id, held in self._inside.items() for _ in held] + self._unfed


def _are_plain(groups: Iterable[Sequence[Any]]) -> TypeGuard[list[list[Any]]]:
    """Return whether these are batches that begin with a bare payload each."""
    return type(groups) is list and all(
        type(entries) is list and entries and type(entries[0]) is not Item for entries in groups
    )


def _named(item: Any) -> str:
    """Name what a strategy gave for an item, without an Item's payload."""
    return f"item {shown(item.id)}" if isinstance(item, Item) else shown(item)


def name_entries(entries: Iterable[Any], start: int) -> list[Any]:
    """Return the ids of Items, and for bare payloads the positions that would have been theirs, from `start`."""
    return [entry.id if type(entry) is Item else start + i for i, entry in enumerate(entries)]
