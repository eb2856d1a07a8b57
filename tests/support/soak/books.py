"""What the clients of the soak have seen, added up; and whether each run's account is right."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from slither_actors import DispatchError, LoadError
from slither_actors.runs.statistics import RunStatistics

PATIENCE = 20.0
"""Seconds that the books of a run get to balance after it was closed."""


class Wrong(Exception):
    """What must never be: an item lost, doubled or exchanged, or books that do not balance."""


class Books:
    """Counts over all runs. Used by many threads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        """Add to the counts."""
        with self._lock:
            self.counts.update(counts)

    def note(self, wrong: str) -> None:
        """Something was wrong; the soak ends of it."""
        with self._lock:
            self.wrong.append(wrong)

    # -- how a run ended

    def finished(self, ids: Sequence[int], total: int, ledger: RunStatistics | None) -> None:
        """A run came to its end, having given items of these ids."""
        self._distinct(ids)
        lost = total - len(set(ids))
        self.add(items=len(ids), losses=lost, finished=1)
        if lost:
            raise Wrong(f"{lost} of {total} items are lost")
        if ledger is not None:
            self._balanced(ledger)
            self._sums(ledger)
            if ledger.emitted != total or ledger.dropped:
                raise Wrong(f"it ended well, and the ledger says {ledger}")

    def failed(self, ids: Sequence[int], error: DispatchError, ledger: RunStatistics | None) -> None:
        """A run ended with an error, having given items of these ids before; what was pulled is in one place each."""
        places = [*ids, *(item.id for item in error.partial_results), *error.unfinished]
        self._distinct(places)
        pulled = ledger.pulled if ledger is not None else len(places)
        lost = pulled - len(set(places))
        self.add(items=len(places) - len(error.unfinished), losses=max(0, lost), unfinished=len(error.unfinished))
        self.add(**{f"failed: {type(error.reason).__name__}": 1})
        if lost:
            raise Wrong(f"{pulled} items were pulled, and {len(places)} are accounted for: {error}")
        if ledger is not None:
            self._balanced(ledger)
            self._sums(ledger)

    def closed(self, ids: Sequence[int], statistics: Callable[[], RunStatistics]) -> None:
        """A run was closed in the middle; its books balance soon after."""
        self._distinct(ids)
        deadline = time.monotonic() + PATIENCE
        while (ledger := statistics()).pulled != ledger.accounted or ledger.buffered or ledger.in_flight:
            if time.monotonic() > deadline:
                raise Wrong(f"closed for {PATIENCE} s, and the ledger is {ledger}")
            time.sleep(0.01)
        self.add(items=len(ids), closed=1, dropped=ledger.dropped_by_close)
        self._sums(ledger)

    def _sums(self, ledger: RunStatistics) -> None:
        self.add(
            retries=ledger.retries,
            skipped=ledger.skipped,
            routed=ledger.routed,
            failures=ledger.failed,
            pulled=ledger.pulled,
        )

    def _balanced(self, ledger: RunStatistics) -> None:
        if ledger.pulled != ledger.accounted:
            raise Wrong(f"the books do not balance: {ledger}")

    def _distinct(self, ids: Iterable[int]) -> None:
        counted = Counter(ids)
        doubled = sum(number - 1 for number in counted.values())
        if doubled:
            self.add(duplicates=doubled)
            raise Wrong(f"doubled: {[each for each, number in counted.items() if number > 1][:10]}")


def of_a_load(error: DispatchError) -> DispatchError:
    """The error of a run that no policy could have gone on: its function was not loaded in time, by a stopped worker.

    Raises:
        Wrong: it has another reason.
    """
    if not isinstance(error.reason, LoadError):
        raise Wrong(f"a run that goes on after errors ended with {error!r}") from error
    return error


def check(items: Iterable[Any], payloads: Sequence[tuple[str, int]], allowed: tuple[type[Exception], ...]) -> None:
    """Each item has the result of its own payload, or came out unchanged for a reason that there may be.

    Args:
        items: results.
        payloads: by id.
        allowed: errors of skipped items.
    """
    for item in items:
        payload = payloads[item.id]
        if "skipped" in item.meta or "routed" in item.meta:
            error = item.meta.get("error") or item.meta["routed"]
            if tuple(item.payload) != payload:
                raise Wrong(f"item {item.id} was skipped, and its payload is {item.payload!r}")
            if not isinstance(error, allowed):
                raise Wrong(f"item {item.id} was skipped for {error!r}")
        elif item.payload != -payload[1]:
            raise Wrong(f"item {item.id} of {payload!r} came out as {item.payload!r}")
        elif payload[0] in ("fails", "dies", "exits", "hangs"):
            raise Wrong(f"item {item.id} of {payload!r} came out")
