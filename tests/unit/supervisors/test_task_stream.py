"""TaskStream with futures that the test sets by hand: no thread, no supervisor."""

from __future__ import annotations

from typing import Any

import pykka
import pytest

from supervisors import CallTimeout
from supervisors.supervision.task_future import TaskFuture
from supervisors.supervision.task_stream import TaskStream


class Started:
    """Notes the started tasks; those of the items in `ends` end at once, with the item as the result."""

    def __init__(self, *ends: Any) -> None:
        self.ends = ends
        self.futures: dict[Any, TaskFuture[Any]] = {}

    def __call__(self, item: Any) -> TaskFuture[Any]:
        future: TaskFuture[Any] = TaskFuture()
        self.futures[item] = future
        if item in self.ends:
            future.set(item)
        return future

    @property
    def items(self) -> list[Any]:
        return list(self.futures)


def results(start: Started, items: str, limit: int, timeout: float | None = None, **options: Any) -> Any:
    options = {"ordered": True, "return_exceptions": False, **options}
    return TaskStream(start, iter(items), limit, timeout).results(**options)


def cancelled(future: TaskFuture[Any]) -> bool:
    try:
        future.get(timeout=0)
    except pykka.ActorDeadError as error:
        return str(error) == "the task was cancelled"
    except CallTimeout:
        return False
    return False


def test_no_more_tasks_than_the_limit_are_started() -> None:
    start = Started("a", "b", "c", "d")
    stream = results(start, "abcd", 2)
    assert start.items == []
    assert next(stream) == "a"
    assert start.items == ["a", "b"]
    assert list(stream) == ["b", "c", "d"]


def test_a_result_that_waits_for_an_earlier_one_counts() -> None:
    start = Started("b", "c")
    stream = results(start, "abcd", 3, return_exceptions=True, timeout=0.0)
    error = next(stream)  # of "a", which is overdue after "b" and "c" have ended
    assert isinstance(error, CallTimeout)
    assert start.items == ["a", "b", "c"]
    assert [next(stream), next(stream)] == ["b", "c"]


def test_without_order_results_come_as_the_tasks_end() -> None:
    start = Started("b", "c")
    stream = results(start, "abc", 2, ordered=False)
    assert [next(stream), next(stream)] == ["b", "c"]
    start.futures["a"].set("late")
    assert list(stream) == ["late"]


def test_a_stream_that_is_closed_cancels_its_tasks() -> None:
    start = Started("a")
    stream = results(start, "abc", 3)
    assert next(stream) == "a"
    stream.close()
    assert [cancelled(start.futures[item]) for item in "abc"] == [False, True, True]


def test_an_exception_ends_the_stream_and_cancels_the_rest() -> None:
    start = Started()
    stream = results(start, "ab", 2, timeout=0.0)
    with pytest.raises(CallTimeout, match="a task has not ended within 0"):
        next(stream)
    assert cancelled(start.futures["b"])
    assert list(stream) == []


def test_a_start_that_fails_cancels_the_rest() -> None:
    start = Started()

    def fail_at_b(item: Any) -> TaskFuture[Any]:
        if item == "b":
            raise LookupError("no supervisor")
        return start(item)

    stream = TaskStream(fail_at_b, iter("abc"), 3, None).results(ordered=True, return_exceptions=True)
    with pytest.raises(LookupError, match="no supervisor"):
        next(stream)
    assert cancelled(start.futures["a"])


def test_a_listener_hears_of_a_result_once() -> None:
    heard: list[Any] = []
    future: TaskFuture[int] = TaskFuture()
    future.when_set(heard.append)
    assert heard == []
    future.set(1)
    future.fail(ValueError("too late"))
    future.when_set(heard.append)
    assert heard == [future, future]
    assert future.get(timeout=0) == 1
