"""The ledger of a run as a frozen snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from slither_actors.pipeline.run import Run


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Where the items of a run are, at one moment.

    The snapshot is read downstream first and counters only grow, so
    ``pulled >= buffered + in_flight + held + emitted + dropped`` always, and equal when the run is idle or has ended.

    Args:
        pulled: items taken from the source.
        buffered: items that are in no batch yet.
        in_flight: items in batches without an outcome: waiting, at a worker, or being made anew.
        awaiting_retry: those of `in_flight` whose next attempt waits for its back-off.
        held: items that have an outcome and were not handed out yet.
        emitted: items handed out, skipped and routed ones included.
        skipped: items that went out unchanged by the policy.
        routed: items that went where a route function sent them.
        retries: batches that were tried again, or split.
        failed: failures of items, each attempt counted.
        dropped: items that nobody wanted any more, or that an error named as unfinished.
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
    dropped: int


def snapshot(run: Run, unread: int) -> RunStatistics:
    """The run's ledger now.

    Args:
        run: any.
        unread: of the items in the list that the consumer is reading, those that it has not taken yet.
    """
    emitted = run.emitted - unread
    resolved, batched = run.resolved, run.batched
    waiting = run.awaiting_retry
    pulled = run.credit.pulled
    ended = run.closed and run.collector is not None
    return RunStatistics(
        pulled=pulled,
        buffered=0 if ended else pulled - batched,
        in_flight=0 if ended else batched - resolved,
        awaiting_retry=waiting,
        held=0 if ended and run.cut_short else resolved - emitted,
        emitted=emitted,
        skipped=run.skipped,
        routed=run.routed,
        retries=run.retries,
        failed=run.failed,
        dropped=pulled - (emitted if run.cut_short else resolved) if ended else 0,
    )
