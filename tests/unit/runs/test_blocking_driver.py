"""The driver that blocks: what it gives the consumer for each step, and how it ends."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest
from support.echo import echoing

from slither_actors import DispatchError, StreamClosed, WorkerCrashed
from slither_actors.item import Item
from slither_actors.runs.messages import CloseRun
from slither_actors.runs.output.blocking_driver import drive
from slither_actors.runs.output.driver_protocol import FOREVER, PAUSE, Step, Wait


class FakeConsumer:
    """Asks for the steps that the test names, and keeps what it got for each.

    Args:
        steps: in order; an exception is raised in its place.
        told: whether it has ended properly then.
    """

    def __init__(self, steps: Iterable[Step | BaseException], *, told: bool = True) -> None:
        self.run = self
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.told = told
        self.answers: list[Any] = []
        self.log: list[str] = []
        self._steps = steps

    def steps(self) -> Generator[Step, Any, None]:
        try:
            for step in self._steps:
                if isinstance(step, BaseException):
                    raise step
                self.answers.append((yield step))
        finally:
            self.log.append("steps closed")

    def close(self) -> None:
        self.log.append("closed")


def driven(consumer: FakeConsumer) -> Generator[list[Item], None, None]:
    fake: Any = consumer
    return drive(fake)


PIECE = [Item(0, "a")]
PAST = monotonic() - 1.0
FAR = monotonic() + 3600.0


@pytest.mark.parametrize(
    ("step", "answer"),
    [(FOREVER, "first"), (Wait(FAR), "first"), (Wait(PAST), "first"), (Wait(), None), (PAUSE, None), (PIECE, None)],
    ids=["no bound", "until later", "until now", "no deadline", "pause", "piece"],
)
def test_a_step_gets_a_message_only_if_it_asks_for_one(step: Step, answer: str | None) -> None:
    consumer = FakeConsumer([step])
    consumer.inbox.put("first")
    pieces = list(driven(consumer))
    assert consumer.answers == [answer]
    assert consumer.inbox.empty() is (answer is not None)
    assert pieces == ([PIECE] if step is PIECE else [])


def test_a_deadline_that_is_over_gives_nothing() -> None:
    consumer = FakeConsumer([Wait(PAST), FOREVER])

    class Inbox(SimpleQueue[Any]):
        """Is filled after the first look."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            try:
                return super().get(block, timeout)
            finally:
                self.put("late")

    consumer.inbox = Inbox()
    assert list(driven(consumer)) == []
    assert consumer.answers == [None, "late"]


def test_an_answer_is_given_once() -> None:
    consumer = FakeConsumer([FOREVER, PAUSE, PIECE])
    consumer.inbox.put("first")
    assert list(driven(consumer)) == [PIECE]
    assert consumer.answers == ["first", None, None]


@pytest.mark.parametrize("how", ["end", "close", "error"])
def test_the_consumer_is_closed_however_it_ends(how: str) -> None:
    consumer = FakeConsumer([PIECE, LookupError("no")] if how == "error" else [PIECE])
    driver = driven(consumer)
    assert next(driver) is PIECE
    assert consumer.log == []
    if how == "close":
        driver.close()
    elif how == "error":
        with pytest.raises(LookupError):
            next(driver)
    else:
        assert list(driver) == []
    assert consumer.log == ["steps closed", "closed"]


def test_one_that_is_dropped_closes_the_consumer() -> None:
    consumer = FakeConsumer([PIECE])
    driver = driven(consumer)
    next(driver)
    del driver
    assert consumer.log == ["steps closed", "closed"]


def test_the_consumer_is_closed_though_its_steps_resist() -> None:
    consumer = FakeConsumer([PIECE])

    def steps() -> Generator[Step, Any, None]:
        try:
            yield PIECE
        finally:
            raise LookupError("not yet")

    consumer.steps = steps  # type: ignore[method-assign]
    driver = driven(consumer)
    next(driver)
    with pytest.raises(LookupError):
        driver.close()
    assert consumer.log == ["closed"]


def test_an_end_that_is_not_the_consumers_is_no_end_of_results() -> None:
    with pytest.raises(RuntimeError) as caught:
        list(driven(FakeConsumer([PIECE], told=False)))
    assert isinstance(caught.value.__cause__, StopIteration)


# --- with a consumer of a run


def test_results_come_in_pieces_and_nothing_before() -> None:
    consumer, echo = echoing(range(5), batch_size=2, prefetch=10)
    driver = drive(consumer)
    assert (consumer.run.has_started, consumer.run.credit.pulled) == (False, 0)
    pieces = list(driver)
    assert [item.payload for piece in pieces for item in piece] == list(range(5))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert (consumer.closed, consumer.told, consumer.run.ending.cut_short) == (True, True, None)
    assert CloseRun() not in echo.take()


def test_the_error_of_a_run_is_raised_behind_its_results() -> None:
    consumer, _ = echoing([7], batch_size=1, error=(error := WorkerCrashed(1)))
    driver = drive(consumer)
    assert [item.payload for item in next(driver)] == [7]
    with pytest.raises(DispatchError) as caught:
        next(driver)
    assert caught.value.reason is error
    assert list(driver) == []


def test_one_that_is_closed_meanwhile_says_so() -> None:
    consumer, echo = echoing(range(3), batch_size=1)
    driver = drive(consumer)
    next(driver)
    consumer.close()
    with pytest.raises(StreamClosed):
        next(driver)
    assert CloseRun() in echo.take()
    assert consumer.run.ending.cut_short == "close"
