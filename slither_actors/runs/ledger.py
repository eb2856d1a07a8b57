"""The ledger of a run: counters of items, each written by one thread."""

from __future__ import annotations


class Ledger:
    """What has happened to the items of a run so far.

    Invariant: each counter has one writer, named below, and only grows (`awaiting_retry` is a level). So no lock is
    needed, and a reader that looks downstream first never sees more items come out than went in. What was pulled is
    counted by `Credit`, of which it is a part.

    Attributes:
        fed: items that were given to the strategy. Writer: the Batcher.
        batched: items that are in batches. Writer: the Batcher.
        resolved: items with an outcome. Writer: the batch book (scheduler's thread).
        skipped: items that the policy left unchanged. Writer: the batch book.
        routed: items that went where a route function sent them. Writer: the batch book.
        retries: batches that were tried again, or split. Writer: the batch book.
        failed: failures of items, each attempt counted. Writer: the batch book.
        awaiting_retry: items whose next attempt waits for its back-off. Writer: the batch book.
        emitted: items handed out. Writer: the consumer.
        unread_failed: items whose reply could not be decoded. They have an outcome in the batch book already, so they
            are counted apart. Writer: the consumer.
        unread_skipped: of those, items that were skipped. Writer: the consumer.
        unread_routed: of those, items that were routed. Writer: the consumer.
    """

    __slots__ = (
        "awaiting_retry",
        "batched",
        "emitted",
        "failed",
        "fed",
        "resolved",
        "retries",
        "routed",
        "skipped",
        "unread_failed",
        "unread_routed",
        "unread_skipped",
    )

    def __init__(self) -> None:
        self.fed = self.batched = 0
        self.resolved = self.skipped = self.routed = self.retries = self.failed = self.awaiting_retry = 0
        self.emitted = self.unread_failed = self.unread_skipped = self.unread_routed = 0
