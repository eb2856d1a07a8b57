"""What a dynamic batcher has done, and what waits in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct


class DynamicBatcherStatistics(Struct, frozen=True):
    """What a dynamic batcher has done so far, and holds now.

    ``calls = done + failed + gone + overdue + queue + executing`` when nothing moves; `overloaded` ones were not taken.

    Args:
        queue: calls that wait for a batch.
        oldest: seconds that the longest waiting one has waited; 0.0 if none waits.
        executing: calls in batches without an outcome.
        batches_in_flight: those batches.
        calls: that were taken.
        done: calls with a result.
        failed: calls with an error of their own.
        gone: calls whose callers were cancelled.
        overdue: calls that ended by `DeadlineExceeded`.
        overloaded: calls that were refused by `Overloaded`.
        batches: that were sent.
        sizes: of these batches: how many had so many calls.
        closed_by: what closed them: "idle" (a worker was), "full", "wait" (for `max_wait`), "end".
    """

    queue: int
    oldest: float
    executing: int
    batches_in_flight: int
    calls: int
    done: int
    failed: int
    gone: int
    overdue: int
    overloaded: int
    batches: int
    sizes: Mapping[int, int]
    closed_by: Mapping[str, int]

    @property
    def mean_size(self) -> float:
        """Calls in a batch, on average; 0.0 before the first one."""
        return sum(size * count for size, count in self.sizes.items()) / self.batches if self.batches else 0.0


class Counts:
    """The counters of the calls from one event loop, or from all threads. Each is written by one thread at a time."""

    __slots__ = ("calls", "closed_by", "done", "failed", "overdue", "overloaded", "sizes")

    def __init__(self) -> None:
        self.calls = self.done = self.failed = self.overdue = self.overloaded = 0
        self.sizes: Counter[int] = Counter()
        self.closed_by: Counter[str] = Counter()


def summed(
    counts: Iterable[Counts], *, queue: int, oldest: float, executing: int, in_flight: int
) -> DynamicBatcherStatistics:
    """Return one snapshot of several counters.

    Args:
        counts: of each event loop, and of threads.
        queue: calls that wait.
        oldest: seconds that the oldest has waited.
        executing: calls in batches without an outcome.
        in_flight: those batches.
    """
    each = list(counts)
    sizes: Counter[int] = sum((Counter(count.sizes) for count in each), Counter())
    calls, done = sum(count.calls for count in each), sum(count.done for count in each)
    failed, overdue = sum(count.failed for count in each), sum(count.overdue for count in each)
    return DynamicBatcherStatistics(
        queue=queue,
        oldest=oldest,
        executing=executing,
        batches_in_flight=in_flight,
        calls=calls,
        done=done,
        failed=failed,
        gone=max(0, calls - done - failed - overdue - queue - executing),
        overdue=overdue,
        overloaded=sum(count.overloaded for count in each),
        batches=sum(sizes.values()),
        sizes=dict(sorted(sizes.items())),
        closed_by=dict(sum((Counter(count.closed_by) for count in each), Counter())),
    )
