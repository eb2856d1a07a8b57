"""Producer and Batcher of a lazy source, called in the test's own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.a_run import Recorder, a_run, started

from slither_actors.pools.assignment.target import Target
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.batcher_actor import BatcherActor
from slither_actors.runs.input.producer import ProducerActor, in_memory
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import CloseRun, RoleEnded, RunFailed, SourceEnded, Split, Wake
from slither_actors.runs.run import Run
from slither_actors.runs.stragglers import GRACE, watch_the_end
from supervisors import Normal
from supervisors.testing import ManualScheduler


class Bench:
    """Both roles of a run, without their threads."""

    def __init__(self, items: Any, *, budget: int | None = None, **options: Any) -> None:
        self.scheduler = ManualScheduler()
        self.run = a_run(self.scheduler, **options)
        if budget is not None:
            self.run.budget = ByteBudget(budget, lambda: None)
        self.collector = started(self.run)
        self.buffer: deque[Any] = deque()
        self.batcher = BatcherActor(self.run, self.make, self.buffer)
        self.producer = ProducerActor(self.run, items, self.buffer)
        self.to_batcher = self.replace_ref(self.batcher)
        self.to_producer = self.replace_ref(self.producer)

    def make(self, run: Run) -> Batcher:
        return Batcher(run, RequestEncoder(run.options, Target))

    @staticmethod
    def replace_ref(actor: Any) -> Recorder:
        """Have messages to a role kept here, as no thread reads its inbox."""
        recorder: Any = Recorder()
        actor._daemon_ref = actor._actor_ref = recorder
        recorder.actor_stopped = False
        recorder.stop = lambda **_: None
        return recorder  # type: ignore[no-any-return]

    def entries(self) -> list[list[Any]]:
        return [batch.entries for message in self.collector.take() for batch in message.batches]

    def from_roles(self) -> list[Any]:
        inbox: Any = self.run.inbox
        return [inbox.get() for _ in range(inbox.qsize())]


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def bench(*arguments: Any, **options: Any) -> Bench:
        made.append(Bench(*arguments, **options))
        made[-1].batcher._batcher = made[-1].make(made[-1].run)
        return made[-1]

    yield bench
    for each in made:
        each.scheduler.stop()


def test_the_producer_pulls_as_far_as_there_is_credit(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(100)), batch_size=2, max_in_flight=2, prefetch=1)
    bench.producer.on_receive(Wake())
    assert list(bench.buffer) == [0, 1, 2, 3, 4, 5]
    assert bench.producer.waiting
    assert bench.to_batcher.take() == [Wake()]
    bench.producer.wake()
    assert (bench.to_producer.take(), bench.producer.waiting) == ([Wake()], False)
    bench.producer.wake()
    assert bench.to_producer.take() == []
    now = bench.producer.statistics()
    assert (now.pulled, now.room, now.waiting) == (6, 0, False)


def test_the_batcher_takes_all_and_then_is_idle(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(3)), batch_size=2)
    bench.producer.on_receive(Wake())
    assert not bench.batcher.idle
    bench.batcher.on_receive(Wake())
    assert (bench.batcher.idle, bench.entries()) == (True, [[0, 1]])
    assert bench.batcher.statistics().inside == 1


def test_the_end_of_the_source_follows_its_items(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(3)), batch_size=2)
    bench.producer.on_receive(Wake())
    assert bench.to_batcher.take() == [Wake(), SourceEnded(None)]
    assert bench.run.source_done
    bench.batcher.on_receive(SourceEnded(None))
    last = bench.collector.messages[-1]
    assert last.input_end.total == 3
    assert bench.entries() == [[0, 1], [2]]
    bench.producer.on_receive(Wake())  # sent before the end was known
    assert bench.to_batcher.take() == []


def test_what_the_source_raises_travels_behind_its_items(make: Callable[..., Bench]) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    bench = make(source())
    bench.producer.on_receive(Wake())
    wake, ended = bench.to_batcher.take()
    assert wake == Wake()
    assert isinstance(ended.error, KeyError)


def test_with_a_byte_budget_little_of_unknown_size_is_pulled(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(100)), budget=1000)
    bench.producer.on_receive(Wake())
    assert 0 < len(bench.buffer) < 20
    assert bench.to_batcher.take() == [Wake(), Wake()]
    bench.batcher.on_receive(Wake())
    assert bench.to_producer.take() == [Wake()]


def test_credit_that_comes_at_the_second_look_is_used(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make(iter(range(3)), batch_size=1)
    rooms = iter([0, 2, 2, 0, 0])
    monkeypatch.setattr(Run, "room", lambda run: next(rooms))
    bench.producer.on_receive(Wake())
    assert list(bench.buffer) == [0, 1]


@pytest.mark.parametrize("when", ["before", "at an item", "while it waits"])
def test_a_closed_run_is_pulled_no_further(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def source() -> Iterator[int]:
        yield 1
        bench.run.ending.closed = True
        yield 2
        yield 3

    bench = make(source())
    if when == "before":
        bench.run.ending.closed = True
    elif when == "while it waits":

        def room(run: Run) -> int:
            run.ending.closed = True
            return 0

        monkeypatch.setattr(Run, "room", room)
    bench.producer.on_receive(Wake())
    assert len(bench.buffer) <= 2
    assert SourceEnded(None) not in bench.to_batcher.take()


def test_a_run_that_halts_is_pulled_no_further(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(10)), batch_size=1, max_in_flight=2, prefetch=0)
    bench.producer.on_receive(Wake())
    bench.run.source_done = True  # by the Collector, which finishes what comes before the failure
    bench.run.credit.returned += 2
    bench.to_batcher.take()
    bench.producer.wake()
    bench.producer.on_receive(Wake())
    assert (list(bench.buffer), bench.producer.waiting) == ([0, 1], True)
    assert bench.to_batcher.take() == []
    assert bench.run.room() == 0


def test_at_its_end_the_producer_closes_the_iterator_it_made(make: Callable[..., Bench]) -> None:
    closed = []

    class Source:
        def __iter__(self) -> Iterator[int]:
            try:
                yield from range(1000)
            finally:
                closed.append(True)

    bench = make(Source(), batch_size=1)
    bench.producer.on_receive(Wake())
    bench.run.ending.cut("close")
    bench.producer.on_exit(Normal())
    assert (closed, list(bench.buffer), bench.producer.ended) == ([True], [], True)
    assert bench.from_roles() == [RoleEnded()]


def test_a_source_that_cannot_be_closed_fails_the_run(make: Callable[..., Bench]) -> None:
    class Source:
        def __iter__(self) -> Iterator[int]:
            try:
                yield from range(1000)
            finally:
                raise OSError("cannot be closed")

    bench = make(Source(), batch_size=1)
    bench.producer.on_receive(Wake())
    bench.producer.on_exit(Normal())
    (failed,) = bench.collector.take()
    assert isinstance(failed.error, OSError)


def test_the_batchers_user_code_fails_the_run(make: Callable[..., Bench]) -> None:
    from slither_actors.strategies import KeyPartition

    bench = make(iter(range(3)), strategy=KeyPartition, key_fn=lambda item: 1 / 0, batch_size=1)
    bench.producer.on_receive(Wake())
    bench.batcher.on_receive(Wake())
    (failed,) = bench.collector.take()
    assert isinstance(failed, RunFailed)
    assert isinstance(failed.error, ZeroDivisionError) or failed.error.__cause__ is not None


def test_the_collectors_requests_are_served(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(2)), batch_size=2)
    bench.producer.on_receive(Wake())
    bench.batcher.on_receive(Wake())
    (batch,) = [batch for message in bench.collector.take() for batch in message.batches]
    bench.batcher.on_receive(Split(batch, 1))
    assert bench.entries() == [[0], [1]]
    bench.batcher.on_receive(CloseRun())


def test_what_never_became_a_batch_is_named(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(5)), batch_size=4)
    bench.producer.on_receive(Wake())
    bench.buffer.pop()
    bench.batcher.on_receive(Wake())
    bench.buffer.append(99)
    bench.batcher.on_exit(Normal())
    assert bench.batcher.leftover() == [4]
    assert bench.batcher.statistics().batched == 0


def test_a_batch_that_lingers_is_released(make: Callable[..., Bench]) -> None:
    bench = make(iter(range(1)), batch_size=4, linger=0.0)
    bench.producer.on_receive(Wake())
    bench.batcher.on_receive(Wake())
    assert bench.batcher.receive_timeout() == 0.0
    bench.batcher.on_timeout()
    assert bench.entries() == [[0]]
    assert bench.batcher.receive_timeout() is None


def test_a_role_that_is_still_inside_user_code_is_reported(
    make: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    import threading

    reported: list[Any] = []
    scheduler = ManualScheduler()
    run = a_run(scheduler)
    run = Run(run.options, scheduler, reported.append)
    started(run)
    producer = ProducerActor(run, [], deque())
    producer._thread = threading.current_thread()
    watch_the_end(run)
    scheduler.advance(GRACE + 1)
    assert reported == [producer]
    assert "its Producer is still inside user code" in caplog.text
    scheduler.stop()


def test_what_is_in_memory() -> None:
    assert all(map(in_memory, [[], (), range(3), "text", {}, {}.keys(), iter([]), reversed([])]))
    assert not any(map(in_memory, [iter(lambda: 1, 2), map(str, []), (x for x in ())]))
