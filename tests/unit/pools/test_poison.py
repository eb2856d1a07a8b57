"""Poison items under a pool's whole tree: the pool is not given up while it finds them, and is if that is all there is.

The test is worker and run: a worker dies of a batch with a poison item, the run halves it, as `Retry(split=True)` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from support.pool_bench import Bench, FakeHost, reply_to

Make = Callable[..., Bench]
ATTEMPTS = 3


class Isolation:
    """A run of `items` numbers in batches of `size`, of which some kill the worker that gets them."""

    def __init__(self, bench: Bench, poison: Collection[int], items: int, size: int, window: int) -> None:
        self.bench, self.poison = bench, poison
        self.run_queue = bench.run_queue(timeout=None)
        self.parts: dict[int, range] = {}
        self.attempts: dict[int, int] = {}
        self.fresh = [range(first, min(first + size, items)) for first in range(0, items, size)]
        self.window = window * size
        self.pulled = self.delivered = 0
        self.done: set[int] = set()
        self.named: set[int] = set()
        self.seen = 0
        self.deaths = 0

    def go_on(self) -> None:
        """Until all is done, or the pool has given up."""
        ref = self.bench.link.ref
        while ref.is_alive() and len(self.done) + len(self.named) < self.items:
            self._fill()
            self._let_one_work()
            self._hear()

    @property
    def items(self) -> int:
        return sum(map(len, self.fresh)) + sum(map(len, self.parts.values())) + len(self.done) + len(self.named)

    def _fill(self) -> None:
        """Pull as much as the window allows; results are delivered in the order of the input."""
        while self.delivered in self.done or self.delivered in self.named:
            self.delivered += 1
        while self.fresh and self.pulled - self.delivered + len(self.fresh[0]) <= self.window:
            self.pulled += len(self.fresh[0])
            self._submit(self.fresh.pop(0), front=False)

    def _submit(self, part: range, front: bool) -> None:
        number = len(self.attempts)
        self.parts[number], self.attempts[number] = part, 1
        self.bench.submit(self.run_queue, number, front=front)

    def _let_one_work(self) -> None:
        """The worker with the oldest request takes it."""
        busy = [host for host in self.bench.hosts if host.pid is not None and self._next(host) is not None]
        if not busy:
            self.bench.scheduler.advance(0.05)  # all restart
            return
        host = min(busy, key=lambda host: self._next(host).request_id)  # type: ignore[union-attr]
        call = self._next(host)
        assert call is not None
        if any(item in self.poison for item in self.parts[self._number(bytes(call.body))]):
            self.deaths += 1
            self.bench.do(host.die, None, 11)
        else:
            host.answered = getattr(host, "answered", 0) + 1  # type: ignore[attr-defined]
            self.bench.do(host.say, reply_to(call))

    @staticmethod
    def _next(host: FakeHost):  # type: ignore[no-untyped-def]
        calls = host.calls()[getattr(host, "answered", 0) :]
        return calls[0] if calls else None

    @staticmethod
    def _number(body: bytes) -> int:
        return int(body.split()[1])

    def _hear(self) -> None:
        ended = self.run_queue.collector.ended  # type: ignore[attr-defined]
        news, self.seen = ended[self.seen :], len(ended)
        for number, outcome in news:
            part = self.parts[number]
            if not isinstance(outcome, Exception):
                self.done.update(part)
                del self.parts[number]
            elif len(part) > 1:
                del self.parts[number]
                half = len(part) // 2
                # Both in one message, the first half first, as the Batcher makes them.
                self._submit_halves(part[:half], part[half:])
            elif self.attempts[number] < ATTEMPTS:
                self.attempts[number] += 1
                self.bench.submit(self.run_queue, number, front=True)
            else:
                self.named.update(part)
                del self.parts[number]

    def _submit_halves(self, *halves: range) -> None:
        numbers = []
        for half in halves:
            number = len(self.attempts)
            self.parts[number], self.attempts[number] = half, 1
            numbers.append(number)
        self.bench.submit(self.run_queue, *numbers, front=True)


def isolate(bench: Bench, poison: Collection[int], items: int = 2000, size: int = 64) -> Isolation:
    bench.start()
    run = Isolation(bench, poison, items, size, window=8)
    run.go_on()
    return run


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize(
    "poison",
    [
        {0},
        set(range(6)),
        set(range(100, 106)),
        set(range(200, 208, 2)),
        set(range(0, 2000, 100)),
        {63, 64, 127, 128},
        set(range(1994, 2000)),
    ],
    ids=["first", "6 first", "6 together", "every second", "20 all over", "at the edges", "last 6"],
)
def test_poison_items_are_found_with_the_default_budget(bench: Make, workers: int, poison: set[int]) -> None:
    it = bench(size=workers)
    run = isolate(it, poison)
    assert run.named == poison
    assert len(run.done) == 2000 - len(poison)
    assert it.counts.deaths == run.deaths
    assert it.counts.kills == {}


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_where_every_item_is_poison_the_pool_gives_up(bench: Make, workers: int) -> None:
    it = bench(size=workers)
    began = it.scheduler.clock.now
    run = isolate(it, range(2000))
    assert run.done == set()
    limit = max(20, 4 * workers)
    assert limit < run.deaths <= limit + workers
    assert it.scheduler.clock.now - began < 3.0
    error = it.link.unavailable()
    assert f"max_restarts={limit}" in str(error)
    assert "PoolSpec(max_restarts=None) lifts that" in str(error)


def test_other_work_is_tried_before_the_pool_gives_up(bench: Make) -> None:
    """Depth first, these would be 25 deaths in a row, though half of what waits behind them can be completed."""
    it = bench(size=1)
    run = isolate(it, range(6), items=64, size=64)
    assert run.named == set(range(6))


def test_with_the_budget_lifted_every_poison_item_is_named(bench: Make) -> None:
    it = bench(size=2, max_restarts=None)
    run = isolate(it, range(16), items=16, size=16)
    assert run.named == set(range(16))
