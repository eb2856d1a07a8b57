"""Whether a run of the workloads of requests has reached the goals."""

from __future__ import annotations

import pytest
from benchmarks.figures import ARUN, BOUND, BY_HAND, FLOOR_BATCHED, FRONT, OF_THE_BOUND, PPE, Book, Figures, at
from benchmarks.goals import judge


def judged(*figures: Figures) -> dict[str, tuple[float, bool | None]]:
    """What was measured, by goal: the figure, and whether it is reached."""
    return {
        one.goal.what: (round(one.finding.figure, 6), one.reached)
        for one in judge(Book(figures))
        if one.finding is not None
    }


def of(workload: str, measure: str, unit: str, **values: float) -> Figures:
    names = {"ppe": PPE, "arun": ARUN, "bound": BOUND, "front": FRONT, "hand": BY_HAND, "floor": FLOOR_BATCHED}
    return Figures(workload, measure, "", unit, {names[name]: [value] for name, value in values.items()})


def test_rates_of_tasks_are_judged_against_the_executors() -> None:
    found = judged(of("N", at("requests", "64 tasks"), "1/s", ppe=1_000.0, arun=5_900.0, bound=8_000.0))
    assert found == {
        f"{ARUN}, requests, 64 tasks, of {PPE}'s": (5.9, False),
        f"{BOUND}, requests, 64 tasks, of {PPE}'s": (8.0, True),
    }


def test_the_front_is_judged_by_batches_without_guarantees() -> None:
    found = judged(of("N", at("requests", "512 tasks"), "1/s", ppe=10.0, front=190.0, hand=200.0, floor=400.0))
    assert found == {
        f"{FRONT}, requests, 512 tasks, of {PPE}'s": (19.0, False),
        f"{FRONT}, requests, 512 tasks, of that of {BY_HAND}": (0.95, True),
        f"{FRONT}, requests, 512 tasks, of that of {FLOOR_BATCHED}": (0.475, False),
    }


def test_processor_time_is_judged_where_there_are_many_tasks() -> None:
    cost = {"ppe": 300.0, "arun": 61.0, "bound": 30.0, "front": 20.0}
    assert judged(of("N", at("host CPU", "1 task"), "us", **cost)) == {}
    assert judged(of("N", at("host CPU", "64 tasks"), "us", **cost)) == {
        f"{PPE}'s host CPU, 64 tasks, as a multiple of that of {ARUN}": (4.918033, False),
        f"{PPE}'s host CPU, 64 tasks, as a multiple of that of {BOUND}": (10.0, True),
        f"{PPE}'s host CPU, 64 tasks, as a multiple of that of {FRONT}": (15.0, True),
    }


def test_the_slowest_of_many_calls_are_judged_two_ways() -> None:
    found = judged(
        of("N", at("p99", "64 tasks"), "ms", ppe=10.0, bound=7.6),
        Figures("N", "p99 / p50", "", "share", {"64 tasks": [1.6, 1.7], "512 tasks": [2.4, 2.2]}),
    )
    assert found == {
        f"{BOUND}, p99, 64 tasks, of {PPE}'s": (0.76, False),
        "time of 99 of 100 calls, of that of half of them": (2.3, False),
    }


def test_quick_requests_may_wait_no_longer_than_the_executors() -> None:
    found = judged(of("N", "p99 of the quick", "ms", ppe=11.0, arun=12.0, bound=4.0))
    assert [reached for _, reached in found.values()] == [False, True]


@pytest.mark.parametrize(("threads", "rate"), [("1 thread", 1.5), ("8 threads", 2.0), ("32 threads", 3.0)])
def test_threads_are_judged_by_a_bound_call(threads: str, rate: float) -> None:
    enough = judged(of("O", at("requests", threads), "1/s", ppe=1.0, bound=rate))
    assert list(enough.values()) == [(rate, True)]
    short = judged(of("O", at("requests", threads), "1/s", ppe=1.0, bound=rate - 0.01))
    assert [reached for _, reached in short.values()] == [False]


def test_a_service_is_judged_by_cost_and_slowest_answers() -> None:
    found = judged(
        of("P", "host CPU", "us", ppe=400.0, bound=399.0, front=500.0), of("P", "p99", "ms", ppe=80.0, front=80.0)
    )
    assert found == {
        f"{BOUND}, host CPU, of {PPE}'s": (0.9975, True),
        f"{FRONT}, host CPU, of {PPE}'s": (1.25, False),
        f"{FRONT}, p99, of {PPE}'s": (1.0, True),
    }


def test_rows_are_judged_by_calls_batches_and_workers() -> None:
    found = judged(
        of("Q", "requests", "1/s", arun=600.0, front=11_000.0, hand=11_000.0),
        of("Q", OF_THE_BOUND, "share", arun=0.05, front=0.91, hand=0.8),
    )
    assert [reached for _, reached in found.values()] == [True, False, True]


def test_many_runs_complete_in_turn_with_memory_that_is_flat() -> None:
    def found(completed: float, growth: float, wait: float) -> list[bool | None]:
        shares = {"completed": completed, "longest wait beyond its turn": wait}
        figures = [Figures("R", measure, "", "share", {"all at once": [value]}) for measure, value in shares.items()]
        figures.append(Figures("R", "growth of the peak", "", "MB", {"all at once": [growth]}))
        return [reached for _, reached in judged(*figures).values()]

    assert found(1.0, 2.0, 0.1) == [True, True, True]
    assert found(0.998, 2.1, 0.101) == [False, False, False]
