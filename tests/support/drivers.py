"""One and the same run in each of the ways in which it can be driven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from slither_actors import DispatchError, Item, System
from slither_actors.runs.statistics import RunStatistics

WAYS = ("in memory", "lazy", "async", "async source")
"""Who pulls the source: the consumer, a thread, the consumer's task, a task of its own."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        items: handed out.
        error: what it failed with, None if it did not.
        ledger: afterwards.
    """

    items: list[Item]
    error: DispatchError | None
    ledger: RunStatistics

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Of the items: pulled, handed out (those in the error included), skipped, dropped."""
        ledger = self.ledger
        return ledger.pulled, ledger.emitted, ledger.skipped, ledger.dropped


def source(payloads: Iterable[Any], way: str) -> Any:
    """The payloads as that way takes them."""
    if way == "lazy":
        return (payload for payload in payloads)
    if way == "async source":
        return _asynchronous(payloads)
    return list(payloads)


async def _asynchronous(payloads: Iterable[Any]) -> AsyncIterator[Any]:
    for payload in payloads:
        yield payload


def with_side_thread(system: System) -> System:
    """The System, its side thread started: it would be with the first event, and found behind that test."""
    assert system._scheduler.background.submit(int)
    return system


def outcome(system: System, payloads: Iterable[Any], way: str, **options: Any) -> Outcome:
    """Run it to its end, in one of the `WAYS`."""
    items: list[Item] = []
    error = None
    if way.startswith("async"):

        async def read() -> RunStatistics:
            nonlocal error
            async with system.dispatch.astream(source(payloads, way), **options) as stream:
                try:
                    async for item in stream:
                        items.append(item)  # noqa: PERF401  # what came before a failure counts
                except DispatchError as failure:
                    error = failure
            return stream.statistics()

        ledger = asyncio.run(read())
        return Outcome(items, error, ledger)
    with system.dispatch.stream(source(payloads, way), **options) as stream:
        try:
            items.extend(stream)
        except DispatchError as failure:
            error = failure
    return Outcome(items, error, stream.statistics())
