"""Contenders in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from benchmarks import peers
from benchmarks.contenders import InProcess, Pool
from benchmarks.figures import IN_PROCESS, OURS
from benchmarks.heavy_tail import LONGEST, SHORTEST, lengths
from benchmarks.rounds import WrongResults, in_turn, measure, nth, run_rounds
from benchmarks.workloads import WORKLOADS, Task


class Fake(Pool):
    """Computes here; as `lies` says its results are not what they should be."""

    name = OURS

    def __init__(self, lies: Any = None) -> None:
        self.lies = lies
        self.runs = 0
        self.stopped = False

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        self.runs += 1
        results = list(InProcess(1).results(task, data))
        return results if self.lies is None else self.lies(results)

    def stop(self) -> None:
        self.stopped = True


def test_each_has_its_turn_once_a_round_and_another_one_begins() -> None:
    assert list(in_turn("abc", 4)) == [
        (0, "a"),
        (0, "b"),
        (0, "c"),
        (1, "b"),
        (1, "c"),
        (1, "a"),
        (2, "c"),
        (2, "a"),
        (2, "b"),
        (3, "a"),
        (3, "b"),
        (3, "c"),
    ]


def test_the_first_round_is_not_counted_and_order_is_kept() -> None:
    warmed: list[str] = []
    done: list[str] = []

    def once(name: str) -> int:
        done.append(name)
        return len(done)

    values = run_rounds({"a": "a", "b": "b"}, 2, once, warmed.append)
    assert warmed == ["a", "b"]
    assert values == {"a": [1, 4], "b": [2, 3]}


def test_one_of_several_figures_of_a_round() -> None:
    assert nth({"a": [(1.0, 2.0), (3.0, 4.0)]}, 1) == {"a": [2.0, 4.0]}


def test_a_contender_warms_up_runs_once_a_round_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    monkeypatch.setattr(peers, "started", lambda names, workers: ({OURS: fake}, {"loky": "not installed"}))
    found = measure(WORKLOADS["A"], [], rounds=3, scale=0.001)
    assert fake.runs == 4
    assert fake.stopped
    assert (found.rounds, found.unit, found.skipped) == (3, "s", {"loky": "not installed"})


@pytest.mark.parametrize("letter", "ABCDEF")
@pytest.mark.parametrize("lies", [lambda results: results[:-1], lambda results: results[1:] + results[:1]])
def test_wrong_results_end_the_measurement(letter: str, lies: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if letter == "F":
        pytest.importorskip("numpy")
    if letter == "D" and lies([1, 2]) == [2, 1]:
        lies = lambda results: [results[0] + 1, *results[1:]]  # noqa: E731 - lengths are all the same
    fake = Fake(lies)
    monkeypatch.setattr(peers, "started", lambda names, workers: ({OURS: fake}, {}))
    with pytest.raises(WrongResults, match=letter):
        measure(WORKLOADS[letter], [], rounds=1, scale=0.02)
    assert fake.stopped


@pytest.mark.parametrize("letter", "ABCDEF")
def test_a_workload_treats_a_batch_as_its_payloads(letter: str) -> None:
    if letter == "F":
        pytest.importorskip("numpy")
    workload = WORKLOADS[letter]
    data, same = (workload.make(4) for _ in range(2))
    if letter in "DE":  # random
        same = list(data)
    results = list(peers.CONTENDERS[IN_PROCESS](1).results(workload.task, data))
    assert workload.equal(results, [workload.task.one(payload) for payload in data])
    assert workload.equal(list(data), list(same))


def test_of_heavy_tailed_lengths_most_are_short() -> None:
    found = lengths(500)
    assert found == lengths(500)
    assert min(found) >= SHORTEST
    assert found.count(LONGEST) == 4
    assert sum(length < 3 * SHORTEST for length in found) > 250
    assert sum(found) < 5
