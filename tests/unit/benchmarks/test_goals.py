"""Whether a run has reached the goals."""

from __future__ import annotations

import pytest
from benchmarks.figures import IMAP, OURS, RAW, Book, Figures, with_workers
from benchmarks.goal_types import Finding, Goal, Judged
from benchmarks.goals import GOALS, judge


def times(workload: str, ours: float, **others: float) -> Figures:
    names = {"imap": IMAP, "raw": RAW}
    values = {OURS: [ours], **{names.get(name, name): [seconds] for name, seconds in others.items()}}
    return Figures(workload, "time", workload, "s", values)


def judged(*figures: Figures) -> dict[str, tuple[float | None, str, bool | None]]:
    """By goal: figure, of what, reached."""
    return {
        f"{one.goal.workload} {one.goal.what}": (
            round(one.finding.figure, 6) if one.finding is not None else None,
            one.finding.of if one.finding is not None else "",
            one.reached,
        )
        for one in judge(Book(figures))
    }


def test_goals_are_judged_for_the_workloads_that_were_run_only() -> None:
    assert judge(Book([])) == []
    assert {one.goal.workload for one in judge(Book([times("C", 1.0, imap=2.0)]))} == {"C"}


def test_every_workload_has_a_goal_and_they_are_told_in_order() -> None:
    assert {goal.workload for goal in GOALS} == set("ABCDEFGHIJKLMNOPQR")
    letters = [one.goal.workload for one in judge(Book([times(letter, 1.0, imap=1.0) for letter in "DCA"]))]
    assert letters == sorted(letters)


def test_throughput_is_judged_against_imap_peers_and_raw_loop() -> None:
    found = judged(times("A", 0.9, imap=1.0, loky=3.0, mpire=1.2, raw=0.5))
    assert found == {
        "A time, as a multiple of imap's": (0.9, "", True),
        "A time, as a multiple of the best other peer's": (0.75, "mpire", True),
        "A time, as a multiple of the raw loop's": (1.8, "", False),
    }


def test_being_as_fast_as_another_peer_is_not_being_ahead_of_it() -> None:
    found = judged(times("C", 1.0, imap=2.0, loky=1.0))
    assert found["C time, as a multiple of the best other peer's"] == (1.0, "loky", False)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    found = judged(times("A", 1.0, imap=2.0))
    assert found["A time, as a multiple of the best other peer's"] == (None, "", None)
    assert found["A time, as a multiple of the raw loop's"] == (None, "", None)


@pytest.mark.parametrize(
    ("sense", "figure", "unit", "reached"),
    [
        ("at most", 0.9, "", True),
        ("at most", 0.904, "", True),
        ("at most", 0.906, "", False),
        ("below", 0.894, "", True),
        ("below", 0.896, "", False),
        ("at least", 0.9, "share", True),
        ("at least", 0.8994, "share", False),
        ("at least", 0.8996, "share", True),
    ],
)
def test_a_figure_is_judged_as_it_is_shown(sense: str, figure: float, unit: str, reached: bool) -> None:
    goal = Goal("A", "a figure", sense, 0.9, lambda book: None, unit)  # type: ignore[arg-type]
    assert Judged(goal, Finding(figure)).reached is reached


def test_efficiency_is_that_of_ours() -> None:
    shares = {OURS: [0.98, 0.96, 0.97], IMAP: [0.5, 0.5, 0.5]}
    found = judged(*(Figures(letter, "efficiency", "", "share", shares) for letter in "GH"))
    assert found == {"G efficiency": (0.97, "", True), "H efficiency": (0.97, "", True)}


def test_many_workers_are_judged_by_the_largest_pools_cost() -> None:
    sizes = {with_workers(OURS, 8): 0.99, with_workers(OURS, 128): 0.9, with_workers(IMAP, 128): 0.95}
    cpu = {with_workers(OURS, 8): 100.0, with_workers(OURS, 128): 120.0}
    found = judged(
        Figures("I", "efficiency", "", "share", {name: [share] for name, share in sizes.items()}),
        Figures("I", "CPU a batch", "", "us", {name: [each] for name, each in cpu.items()}),
    )
    assert list(found.values()) == [(0.9, "", False), (1.2, "", True)]


def test_heavy_tails_are_judged_against_the_best_peer() -> None:
    in_order = Figures("J", "time in order", "", "s", {OURS: [1.5], IMAP: [1.6], "mpire": [1.4]})
    completed = Figures("J", "time as completed", "", "s", {OURS: [1.5], IMAP: [1.6], "mpire": [1.5]})
    assert [(of, reached) for _, of, reached in judged(in_order, completed).values()] == [
        ("mpire", False),
        ("mpire", True),
    ]


def test_the_first_result_is_judged_by_the_slowest_source() -> None:
    milliseconds = {
        "range of 10,000,000": 3.0,
        "range of 10,000": 1.5,
        "list of 10,000,000": 4.0,
        "list of 10,000": 3.5,
    }
    found = judged(Figures("K", "first result", "", "ms", {name: [each] for name, each in milliseconds.items()}))
    assert list(found.values()) == [(4.0, "list of 10,000,000", True), (1.5, "range", False)]


def test_memory_is_judged_by_how_much_more_longer_input_takes() -> None:
    megabytes = {
        "range of 1,000,000": 26.0,
        "range of 5,000,000": 27.0,
        "generator of 1,000,000": 26.0,
        "generator of 5,000,000": 29.0,
    }
    found = judged(Figures("L", "peak memory", "", "MB", {name: [each] for name, each in megabytes.items()}))
    assert list(found.values()) == [(3.0, "generator", False)]


def test_a_start_is_judged_whole_and_over_the_bare_interpreter() -> None:
    found = judged(
        Figures("M", "whole process", "", "s", {OURS: [0.2], IMAP: [0.25]}),
        Figures("M", "worker", "", "ms", {"a worker": [45.0], "the interpreter": [18.0]}),
    )
    assert list(found.values()) == [(0.8, "", True), (27.0, "", False)]
