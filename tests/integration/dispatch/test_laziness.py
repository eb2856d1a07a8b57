"""How much is pulled, and when: laziness, the window, linger, the byte budget, sources that block or raise."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.gates import Gates

from slither_actors import DispatchError, Item, StreamClosed, System
from slither_actors.strategies import KeyPartition, WeightedBatch

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


class Source:
    """An iterable that counts, and checks at each item that the window holds."""

    def __init__(self, items: Iterable[Any], window: float = float("inf")) -> None:
        self.items = items
        self.window = window
        self.pulled = self.delivered = self.most = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        try:
            for item in self.items:
                self.pulled += 1
                self.most = max(self.most, self.pulled - self.delivered)
                yield item
        finally:
            self.closed.set()

    def consume(self, stream: Iterable[Item]) -> Iterator[Item]:
        for item in stream:
            self.delivered += 1
            yield item


def test_nothing_is_pulled_before_the_stream_is_iterated(system: System) -> None:
    source = Source(itertools.count())
    stream = system.dispatch.stream(source, **DOUBLE)
    time.sleep(0.05)  # proves an absence
    assert source.pulled == 0
    assert next(stream).payload == 0
    assert source.pulled > 0
    stream.close()
    assert source.closed.wait(5)


def test_a_stream_that_was_never_iterated_closes_like_any_other(system: System) -> None:
    source = Source([1])
    with system.dispatch.stream(source, **DOUBLE) as stream:
        pass
    with pytest.raises(StreamClosed):
        next(stream)
    assert source.pulled == 0


ORDERINGS = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
WINDOWS = pytest.mark.parametrize(
    ("max_in_flight", "prefetch", "batch_size"), [(1, 0, 1), (1, 0, 5), (2, 0, 3), (2, 1, 4), (2, 6, 1), (3, None, 2)]
)


@ORDERINGS
@WINDOWS
def test_a_slow_consumer_never_holds_more_than_the_window(
    system: System, ordering: str, max_in_flight: int, prefetch: int | None, batch_size: int, eventually: Any
) -> None:
    window = (max_in_flight + (3 * max_in_flight if prefetch is None else prefetch)) * batch_size
    source = Source(itertools.count())
    with system.dispatch.stream(
        source, **DOUBLE, batch_size=batch_size, max_in_flight=max_in_flight, prefetch=prefetch, ordering=ordering
    ) as stream:
        for item in itertools.islice(source.consume(stream), 12 * window):
            if item.id % (4 * window) == window:
                time.sleep(0.03)  # whatever could be pulled meanwhile is
    assert source.most <= window


@ORDERINGS
@WINDOWS
def test_a_slow_first_batch_never_holds_more_than_the_window(
    system: System, gates: Gates, ordering: str, max_in_flight: int, prefetch: int | None, batch_size: int
) -> None:
    window = (max_in_flight + (3 * max_in_flight if prefetch is None else prefetch)) * batch_size
    source = Source(itertools.chain([(0, gates["slow"])], itertools.count(1)))
    with system.dispatch.stream(
        source,
        module="tasks",
        function="through_gates",
        batch_size=batch_size,
        max_in_flight=max_in_flight,
        prefetch=prefetch,
        ordering=ordering,
    ) as stream:
        opener = threading.Timer(0.08, gates.open, ["slow"])  # whatever could be pulled meanwhile is
        opener.start()
        results = [item.id for item in itertools.islice(source.consume(stream), 6 * window)]
        opener.join()
    assert len(set(results)) == 6 * window
    assert source.most <= window


@pytest.mark.parametrize(
    "strategy",
    [WeightedBatch(lambda item: 1, 8, batch_size=4), KeyPartition(lambda item: item.id % 7, 4)],
    ids=lambda strategy: type(strategy).__name__,
)
def test_window_holds_for_other_strategies_with_a_batch_size(system: System, strategy: Any) -> None:
    source = Source(itertools.count())
    with system.dispatch.stream(source, **DOUBLE, strategy=strategy, max_in_flight=2, prefetch=3) as stream:
        assert [item.id for item in itertools.islice(source.consume(stream), 300)] == list(range(300))
    assert source.most <= 5 * 4


class Blocking:
    """A source that gives its items one after the other when allowed to; `close` lets it go."""

    def __init__(self, at_once: int) -> None:
        self.permits = threading.Semaphore(at_once)
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            self.permits.acquire()
            if self.closed:
                return
            yield number

    def close(self) -> None:
        self.closed = True
        self.permits.release()


@pytest.fixture
def blocking() -> Iterator[Callable[[int], Blocking]]:
    made: list[Blocking] = []

    def make(at_once: int) -> Blocking:
        made.append(Blocking(at_once))
        return made[-1]

    yield make
    for source in made:
        source.close()


@ORDERINGS
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_first_result_waits_for_no_more_than_first_batch(
    system: System, blocking: Callable[[int], Blocking], ordering: str, batch_size: int
) -> None:
    source = blocking(batch_size)
    with system.dispatch.stream(source, **DOUBLE, batch_size=batch_size, ordering=ordering) as stream:
        assert [next(stream).payload for _ in range(batch_size)] == [2 * i for i in range(batch_size)]
        source.permits.release(batch_size)
        assert next(stream).payload == 2 * batch_size
        source.close()


@ORDERINGS
@pytest.mark.parametrize("strategy", ["fixed", "weighted", "keyed"])
def test_linger_sends_a_batch_that_is_part_filled(
    system: System, blocking: Callable[[int], Blocking], ordering: str, strategy: str
) -> None:
    source = blocking(3)
    options: dict[str, Any] = {
        "fixed": {},
        "weighted": {"strategy": WeightedBatch(max_weight=1000)},
        "keyed": {"strategy": KeyPartition(lambda item: item.id % 2, 10)},
    }[strategy]
    with system.dispatch.stream(source, **DOUBLE, **options, linger=0.02, ordering=ordering) as stream:
        assert sorted(next(stream).payload for _ in range(3)) == [0, 2, 4]
        source.permits.release(1)
        assert next(stream).payload == 6
        source.close()


@ORDERINGS
def test_a_slow_batch_with_prefetch_0_leaves_the_other_worker(system: System, gates: Gates, ordering: str) -> None:
    source = Source([(0, gates["slow"]), (1, gates["other"]), 2])
    with system.dispatch.stream(
        source, module="tasks", function="through_gates", batch_size=1, max_in_flight=2, prefetch=0, ordering=ordering
    ) as stream:
        opener = threading.Thread(
            target=lambda: (gates.wait_begun("slow"), gates.wait_begun("other"), gates.open("slow", "other"))
        )
        opener.start()
        assert sorted(item.id for item in stream) == [0, 1, 2]
        opener.join()


@ORDERINGS
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_a_source_that_raises_is_told_after_all_that_was_pulled(system: System, ordering: str, batch_size: int) -> None:
    def source() -> Iterator[int]:
        yield from range(10)
        raise LookupError("the source is broken")

    got: list[int] = []
    stream = system.dispatch.stream(source(), **DOUBLE, batch_size=batch_size, ordering=ordering)
    with pytest.raises(DispatchError, match="the source is broken") as caught:
        got.extend(item.id for item in stream)
    assert sorted(got) == list(range(10))
    assert isinstance(caught.value.reason, LookupError)
    assert caught.value.unfinished == []
    assert caught.value.partial_results == []


def test_source_that_raises_in_run_leaves_all_results_in_error(system: System) -> None:
    def source() -> Iterator[int]:
        yield from range(10)
        raise LookupError

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(), **DOUBLE, batch_size=4)
    assert [item.payload for item in caught.value.partial_results] == [2 * i for i in range(10)]


def test_a_source_whose_iter_raises_fails_the_run(system: System) -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise LookupError("no iterator")

    with pytest.raises(DispatchError, match="no iterator"):
        system.dispatch.run(Broken(), **DOUBLE)


def test_an_old_style_sequence_is_a_source_too(system: System) -> None:
    class Old:
        def __getitem__(self, index: int) -> int:
            return range(5)[index]

    results = system.dispatch.run(Old(), **DOUBLE)  # type: ignore[arg-type]
    assert [item.payload for item in results] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    "source", [itertools.count, lambda: (i for i in itertools.count())], ids=["count", "generator"]
)
def test_an_endless_source_streams_on(system: System, source: Any) -> None:
    with system.dispatch.stream(source(), **DOUBLE, batch_size=50) as stream:
        assert sum(item.payload for item in itertools.islice(stream, 20_000)) == 20_000 * 19_999


def test_a_callers_iterator_stays_open_runs_generator_does_not(system: System) -> None:
    source = Source(itertools.count())
    mine = iter(source)
    with system.dispatch.stream(mine, **DOUBLE) as stream:
        next(stream)
    assert not source.closed.is_set()
    assert next(mine) > 0
    mine.close()  # type: ignore[attr-defined]


@ORDERINGS
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("limit", [1, 10_000, 100_000])
def test_the_byte_budget_holds_back_and_nothing_stalls(system: System, ordering: str, lazy: bool, limit: int) -> None:
    given = [bytes([i % 256]) * 5_000 for i in range(80)]
    results = system.dispatch.run(
        iter(given) if not lazy else (x for x in given),
        **DOUBLE,
        batch_size=2,
        max_in_flight_bytes=limit,
        ordering=ordering,
    )
    assert {item.id: item.payload for item in results} == {i: given[i] * 2 for i in range(80)}


STRATEGIES: dict[str, dict[str, Any]] = {
    "fixed": {"batch_size": 4},
    "weighted": {"strategy": WeightedBatch, "weight_fn": lambda item: 1, "max_weight": 4},
    "keyed": {"strategy": KeyPartition, "key_fn": lambda item: item.id % 2, "batch_size": 2},
}


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_pulling_stops_at_the_byte_budget_also_far_below_window(
    system: System, gates: Gates, eventually: Callable[..., None], strategy: dict[str, Any], asynchronous: bool
) -> None:
    size, limit = 10_000, 100_000
    gate = gates["shut"]
    options: dict[str, Any] = {
        "module": "tasks",
        "function": "through_gates",
        "max_in_flight_bytes": limit,
        "prefetch": 500,
        **strategy,
    }
    pulled = 0

    def source() -> Iterator[Any]:
        nonlocal pulled
        for number in itertools.count():
            pulled += 1
            yield (bytes([number % 256]) * size, gate)

    async def asynchronous_source() -> AsyncIterator[Any]:
        for each in source():
            yield each

    async def first() -> int:
        async with system.dispatch.astream(asynchronous_source(), **options) as stream:
            asked = asyncio.create_task(anext(stream))
            await asyncio.to_thread(enough)
            gates.open("shut")
            return (await asked).id

    def enough() -> None:
        eventually(lambda: pulled * size > limit, 20)
        gates.wait_begun("shut", 1)
        time.sleep(0.05)  # proves an absence
        # What is encoded, a batch more that was let through; a quarter of the limit and what is in no batch yet.
        assert pulled <= limit / size + 4 + max(8, limit / size / 4) + 4

    if asynchronous:
        assert asyncio.run(first()) == 0
    else:
        with system.dispatch.stream(source(), **options) as stream, ThreadPoolExecutor(1) as threads:
            asked = threads.submit(next, stream)
            enough()
            gates.open("shut")
            assert asked.result(20).id == 0


def test_a_byte_budget_of_one_batch_admits_one_at_a_time(system: System, gates: Gates) -> None:
    given = [(b"x" * 1000, gates[i]) for i in range(4)]
    with system.dispatch.stream(
        (entry for entry in given),
        module="tasks",
        function="through_gates",
        batch_size=1,
        max_in_flight=2,
        max_in_flight_bytes=500,
    ) as stream:
        gates.open(0)
        first = next(stream)
        gates.wait_begun(1)
        time.sleep(0.03)  # proves an absence
        assert gates.begun(2) == []
        gates.open(1, 2, 3)
        assert [first.id, *(item.id for item in stream)] == [0, 1, 2, 3]
