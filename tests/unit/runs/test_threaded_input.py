"""The input of a lazy source: which role is woken when; its roles are played by the test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.a_run import FakeRole, a_batch, a_run, started

from slither_actors import DispatchError
from slither_actors.pools.assignment.target import Target
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.batcher_actor import BatcherActor
from slither_actors.runs.input.producer import ProducerActor
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.input.threaded_input import ThreadedInput
from slither_actors.runs.messages import BatchesReady, CloseRun, RoleEnded, Split, Wake
from slither_actors.runs.run import Run
from supervisors.testing import ManualScheduler


def no_batcher(run: Run) -> Batcher:
    raise AssertionError("the Batcher is made in the thread of its role")


class Bench:
    """A ThreadedInput over two such roles."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run = a_run()
        started(self.run)
        self.producer, self.batcher = FakeRole(), FakeRole()
        self.starts: list[tuple[Any, ...]] = []
        monkeypatch.setattr(BatcherActor, "start", self._start_batcher)
        self.source = iter(())
        self.input = ThreadedInput(self.run, self.source, no_batcher, self._start_producer)

    def _start_batcher(self, *arguments: Any) -> None:
        self.starts.append(arguments)
        fake: Any = self.batcher
        self.run.batcher = fake

    def _start_producer(self, *arguments: Any) -> None:
        self.starts.append(arguments)
        fake: Any = self.producer
        self.run.producer = fake

    def messages(self) -> tuple[list[Any], list[Any]]:
        """Return what came to the Producer and to the Batcher."""
        return self.producer.inbox_ref.take(), self.batcher.inbox_ref.take()


@pytest.fixture
def it(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_the_batcher_is_started_first_and_shares_a_buffer(it: Bench) -> None:
    (run, make, buffer), (same_run, source, same_buffer) = it.starts
    assert run is same_run is it.run
    assert make is no_batcher
    assert source is it.source
    assert buffer is same_buffer
    assert it.messages() == ([], [])


def test_at_the_start_the_producer_begins(it: Bench) -> None:
    it.input.start()
    assert it.messages() == ([Wake()], [])


def test_returned_credit_wakes_the_producer_alone(it: Bench) -> None:
    assert not it.input.refill()
    assert (it.producer.wakes, it.batcher.wakes, it.messages()) == (1, 0, ([], []))


def test_a_batcher_that_starves_is_woken_too(it: Bench) -> None:
    it.run.starving = True
    assert not it.input.refill()
    assert (it.producer.wakes, it.messages()) == (1, ([], [Wake()]))


def test_a_batcher_that_waits_for_bytes_is_woken_too(it: Bench) -> None:
    it.run.budget = budget = ByteBudget(10, lambda: None)
    budget.change(20)
    assert not it.input.refill()
    assert it.messages() == ([], [])  # it has not asked for room
    assert budget.full()
    assert not it.input.refill()
    assert it.messages() == ([], [Wake()])


def test_a_request_goes_to_the_batcher_as_it_is(it: Bench) -> None:
    request = Split(a_batch(it.run, [0, 1]), 1)
    it.input.serve(request)
    it.input.serve(None)
    assert it.messages() == ([], [request, Wake()])


def test_it_has_ended_when_both_roles_have(it: Bench) -> None:
    ends = []
    for producer, batcher in [(False, False), (True, False), (False, True), (True, True)]:
        it.producer.ended, it.batcher.ended = producer, batcher
        ends.append(it.input.ended())
    assert ends == [False, False, False, True]


def test_the_batcher_names_what_is_left(it: Bench) -> None:
    assert it.input.leftover() == ["left"]


def test_closing_it_leaves_the_roles_to_their_message(it: Bench) -> None:
    it.input.close()
    assert (it.messages(), it.producer.wakes) == (([], []), 0)


# --- threads that cannot be had


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("role", ["batcher", "producer"])
def test_without_a_thread_the_run_could_not_start(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    monkeypatch.setattr(BatcherActor, "start", no_thread if role == "batcher" else lambda *_: None)
    with pytest.raises(DispatchError, match="the run could not start: can't start new thread") as caught:
        ThreadedInput(a_run(), iter(()), no_batcher, no_thread if role == "producer" else lambda *_: None)
    assert isinstance(caught.value.reason, RuntimeError)
    assert (caught.value.partial_results, caught.value.unfinished) == ([], [])


def handler(signal: int, frame: object) -> None:
    """Raise as a signal handler does: it gets the frame that it interrupts."""
    raise RuntimeError("the caller's own limit")


@pytest.mark.parametrize("error", [RuntimeError, LookupError])
def test_what_is_not_about_threads_comes_out_as_it_is(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def interrupted(*_: object) -> None:
        if error is RuntimeError:
            handler(14, sys._getframe())
        raise LookupError("another")

    monkeypatch.setattr(BatcherActor, "start", lambda *_: None)
    with pytest.raises(error):
        ThreadedInput(a_run(), iter(()), no_batcher, interrupted)


# --- with its threads


def test_both_roles_work_through_the_source_and_end(manual: ManualScheduler) -> None:
    run = a_run(manual, batch_size=2, prefetch=10)
    collector = started(run)
    make: Callable[[Run], Batcher] = lambda run: Batcher(run, RequestEncoder(run.options, Target))  # noqa: E731
    source = ThreadedInput(run, (n for n in range(5)), make, ProducerActor.start)
    source.start()
    inbox: Any = run.inbox
    assert inbox.get(timeout=20) == RoleEnded()  # the Producer's; the end of the source is on its way to the Batcher
    assert not source.ended()
    assert run.batcher is not None
    run.batcher.inbox_ref.tell(CloseRun())
    assert inbox.get(timeout=20) == RoleEnded()
    assert source.ended()
    assert source.leftover() == []
    ready = collector.take()
    assert all(type(message) is BatchesReady for message in ready)
    assert [batch.entries for message in ready for batch in message.batches] == [[0, 1], [2, 3], [4]]
    assert ready[-1].input_end.total == 5
