"""From deliveries to pieces of results, in the order of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from slither_actors.errors import DispatchError
from slither_actors.item import Item
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.pacing import GROW_BYTES, PIECE_ITEMS
from slither_actors.runs.messages import Delivery, Finished, Results
from slither_actors.runs.output.reply_decoder import ReplyDecoder
from slither_actors.runs.output.unpack import Unpack, together, unpacker
from slither_actors.runs.output.unreadable import Unreadable
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import run_failure
from supervisors.runtime.interrupts import raised_by_handler


class DeliveryReader:
    """Unpacks the deliveries of one run. In the consumer's thread.

    The Collector delivers batches in the order of their first positions. Where batches interleave (batches by key, a
    batch of which some items failed alone) single items are put in order here.

    Args:
        run: whose results these are.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._undelivered = run.undelivered
        decoder = ReplyDecoder()
        self._unpack: Unpack = unpacker(run.options.executor, decoder, run)
        self._together = together(run, decoder)
        self._ordered = run.options.ordering == "preserve"
        self._next = 0
        self._held: dict[int, Item] = {}  # items whose turn has not come
        self._unread: list[Delivery] = []  # what came after an error, for the run's own error
        self.error: BaseException | None = None
        """What unpacking raised: no further result is handed out."""
        self._unreadable: Batch | None = None  # the batch whose reply that was, where it could not be decoded
        self.size = GROW_BYTES
        """Bytes of request and reply of the last batch that came."""

    @staticmethod
    def parts(deliveries: list[Delivery]) -> Iterable[list[Delivery]]:
        """Return them in parts, in order, of as many as are to be unpacked before any of their items is handed out."""
        most = PIECE_ITEMS // len(deliveries[0].positions) or 1
        if len(deliveries) <= most:
            return (deliveries,)
        return (deliveries[at : at + most] for at in range(0, len(deliveries), most))

    def all_together(self, deliveries: list[Delivery]) -> list[Item] | None:
        """Return all items of these deliveries, if they are plain and due; None: `pieces` gives them one by one."""
        if self._together is None or self._held or self.error is not None:
            return None
        done = self._together(deliveries, self._next)
        if done is None:
            return None
        items, self.size = done
        undelivered = self._undelivered
        batches: list[Any] = deliveries  # else they would not be unpacked together
        for batch in batches:
            del undelivered[batch.ref]
        self._next += len(items)
        return items

    def pieces(self, deliveries: list[Delivery]) -> Iterator[list[Item]]:
        """Yield what is due of these deliveries. After an `error` the rest is kept for `failure`."""
        for number, delivery in enumerate(deliveries):
            if self.error is not None:
                self._unread.append(delivery)
                continue
            try:
                items = self._unpack(delivery)
            except BaseException as error:  # a user's `results` may raise anything
                if raised_by_handler(error):
                    raise
                self.error = error
                if isinstance(error, Unreadable):
                    self.error, self._unreadable = error.reason, error.batch
                self._unread.extend(deliveries[number + 1 :])
                return
            self._delivered(delivery)
            if self._ordered:
                items = self._in_order(delivery.positions, items)
            if items:
                yield items

    def failure(self, finished: Finished, cause: BaseException, leftover: list[object]) -> DispatchError:
        """Return the error of the run, with all results that were not handed out.

        Args:
            finished: the Collector's last message.
            cause: why the run failed.
            leftover: ids of what was pulled and is in no batch.
        """
        batch, limit = finished.batch, finished.limit
        if self._unreadable is not None and cause is self.error:
            batch = self._unreadable
            limit = batch.positions[0] if self._ordered else None
        return run_failure(
            self._run,
            Finished(finished.error, batch, finished.held, limit),
            cause,
            leftover=leftover,
            held=self._held,
            late=self._unread,
            unpack=self._unpack,
        )

    def close(self) -> None:
        """Drop the error, whose traceback would keep the run alive."""
        self.error = self._unreadable = None

    def _delivered(self, delivery: Delivery) -> None:
        """Take a batch out of what is under way, unless other items of it are still to come."""
        run = self._run
        batch = delivery if isinstance(delivery, Batch) else delivery.batch
        if batch.reply is not None:
            self.size = batch.encoded + batch.reply.size
            batch.reply = None
        if type(delivery) is not Results:
            self._undelivered.pop(batch.ref, None)
            if run.budget is not None:
                run.budget.change(-batch.encoded)
                batch.encoded = 0

    def _in_order(self, positions: Sequence[int], items: list[Item]) -> list[Item]:
        """Return the items whose turn it is: those of a delivery, and those that waited for it."""
        held = self._held
        if (
            not held
            and positions[0] == self._next
            and (type(positions) is range or positions[-1] - positions[0] + 1 == len(items))
        ):
            self._next += len(items)
            return items
        held.update(zip(positions, items, strict=True))
        out = []
        while (item := held.pop(self._next, None)) is not None:
            out.append(item)
            self._next += 1
        return out
