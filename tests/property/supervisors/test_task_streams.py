"""Random ends of tasks: `map` keeps its limit, its order, and loses no result."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisors.supervision.task_future import TaskFuture
from supervisors.supervision.task_stream import TaskStream


class Bench:
    """Starts tasks, and ends some of the running ones at each start and whenever the stream would wait.

    Args:
        choices: which of the running tasks ends next, as an index into them.
        failing: items whose task raises.
    """

    def __init__(self, choices: list[int], failing: set[int]) -> None:
        self.choices = choices
        self.failing = failing
        self.running: dict[int, TaskFuture[int]] = {}
        self.started: list[int] = []
        self.ended: list[int] = []
        self.most = 0

    def start(self, item: int) -> TaskFuture[int]:
        future: TaskFuture[int] = TaskFuture()
        self.running[item] = future
        self.started.append(item)
        self.most = max(self.most, len(self.running))
        return future

    def end_one(self) -> None:
        number = self.choices.pop(0) if self.choices else 0
        item = list(self.running)[number % len(self.running)]
        future = self.running.pop(item)
        self.ended.append(item)
        if item in self.failing:
            future.fail(ValueError(item))
        else:
            future.set(item * 10)


class Stream(TaskStream[int, int]):
    """Has the bench end a task where it would block."""

    bench: Bench

    def _next_ended(self) -> tuple[int, TaskFuture[int]]:
        if self._ended.empty():
            self.bench.end_one()
        return super()._next_ended()


def value_of(result: Any) -> Any:
    return -result.args[0] if isinstance(result, ValueError) else result


@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 5),
    choices=st.lists(st.integers(0, 4), max_size=12),
    failing=st.sets(st.integers(1, 11)),
    ordered=st.booleans(),
)
def test_every_result_comes_once_within_the_limit(
    count: int, limit: int, choices: list[int], failing: set[int], ordered: bool
) -> None:
    bench = Bench(choices, failing)
    stream = Stream(bench.start, iter(range(count)), limit, None)
    stream.bench = bench
    results: list[Any] = []
    for result in stream.results(ordered=ordered, return_exceptions=True):
        results.append(value_of(result))
        assert len(bench.started) <= len(results) + limit
    expected = [-item if item in failing else item * 10 for item in range(count)]
    assert bench.started == list(range(count))
    assert bench.most <= limit
    by_end = [expected[item] for item in bench.ended]
    assert results == (expected if ordered else by_end)
    assert bench.running == {}


@given(
    count=st.integers(1, 10),
    limit=st.integers(1, 5),
    choices=st.lists(st.integers(0, 4), max_size=12),
    taken=st.integers(0, 9),
)
def test_a_closed_stream_leaves_no_task_running(count: int, limit: int, choices: list[int], taken: int) -> None:
    bench = Bench(choices, set())
    stream = Stream(bench.start, iter(range(count)), limit, None)
    stream.bench = bench
    results: Any = stream.results(ordered=True, return_exceptions=False)
    for _ in range(min(taken, count)):
        next(results)
    results.close()
    assert all(future.answered for future in bench.running.values())
