"""What a run and its actors hold, as frozen snapshots; the ledger of its items among them."""

from __future__ import annotations

from msgspec import Struct


class RunStatistics(Struct, frozen=True):
    """The ledger of a run: where its items are, at one moment.

    ``pulled = buffered + in_flight + awaiting_retry + held + emitted + dropped_by_halt + dropped_by_close`` when the
    run is idle or has ended, and the first four are 0 then. While it moves the right side (`accounted`) may lag behind
    and is never more: the snapshot is read downstream first, and what it is made of only grows.

    Args:
        pulled: items taken from the source.
        buffered: items that are in no batch yet.
        in_flight: items in batches without an outcome: waiting, at a worker, or being made again.
        awaiting_retry: items in failed batches whose next attempt waits for its back-off.
        held: items that have an outcome and were not handed out yet: the order keeps them back, or the consumer has
            not taken them.
        emitted: items handed out, skipped and routed ones included, and those in an error's ``partial_results``.
        skipped: items that the policy left unchanged.
        routed: items that went where a route function sent them.
        retries: batches that were tried again, or split.
        failed: failures of items, each attempt counted.
        dropped_by_halt: items that the run's error names as unfinished.
        dropped_by_close: items that were dropped as the stream was closed.
    """

    pulled: int
    buffered: int
    in_flight: int
    awaiting_retry: int
    held: int
    emitted: int
    skipped: int
    routed: int
    retries: int
    failed: int
    dropped_by_halt: int
    dropped_by_close: int

    @property
    def dropped(self) -> int:
        """Items that will not come out, for whatever reason."""
        return self.dropped_by_halt + self.dropped_by_close

    @property
    def accounted(self) -> int:
        """The right side of the ledger's equation; `pulled` is the left one."""
        return self.buffered + self.in_flight + self.awaiting_retry + self.held + self.emitted + self.dropped


class ProducerStatistics(Struct, frozen=True):
    """What a Producer is doing.

    Args:
        pulled: items taken from the source.
        room: items that it may take now.
        waiting: whether it waits for credit.
    """

    pulled: int
    room: int
    waiting: bool


class BatcherStatistics(Struct, frozen=True):
    """What a Batcher holds.

    Args:
        inside: items inside the strategy.
        unencoded: batches that wait for room in the byte budget.
        batched: items that it has put into batches.
    """

    inside: int
    unencoded: int
    batched: int


class CollectorStatistics(Struct, frozen=True):
    """What a Collector holds.

    Args:
        batches: without an outcome.
        items: in them.
        remaking: items of failed batches that the Batcher is to rebuild, or to ask a route for.
        kept_back: items that the order keeps back.
        halting: whether the run has failed, and only what comes before the failure is finished.
        ledger: of its run.
    """

    batches: int
    items: int
    remaking: int
    kept_back: int
    halting: bool
    ledger: RunStatistics


class InlinePoolStatistics(Struct, frozen=True):
    """What the InlinePool of an inline executor holds.

    Args:
        waiting: batches that no thread has begun.
        busy: threads that execute one.
        idle: threads that wait.
        given_up: threads that were left alone at a timeout.
    """

    waiting: int
    busy: int
    idle: int
    given_up: int
