"""A pool whose workers die too often gives up: its runs hear of it at once, and it comes back."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import EVIL
from support.gates import Gates, alive, pids_in, wait_gone
from support.victims import beside, counts, kill_and_wait, pids, pool, works
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolUnavailable, Retry, System, WorkerCrashed

pytestmark = pytest.mark.fault(2)

Start = Callable[..., System]
SHUTDOWN = 60.0
"""Seconds that a worker would get to end by itself: longer than any of these tests may take."""


def unavailable(error: BaseException) -> bool:
    return isinstance(error, DispatchError) and isinstance(error.reason, PoolUnavailable)


@pytest.mark.parametrize(("lazy", "ordering"), [(True, "preserve"), (False, "as_completed")])
def test_over_its_budget_the_pools_error_has_the_results_so_far(
    start: Start, lazy: bool, ordering: str, eventually: Callable[..., None]
) -> None:
    system = start(2, max_restarts=3, max_seconds=60.0)
    payloads = itertools.chain(range(100), itertools.repeat(-1, 1000))
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            payloads if lazy else list(payloads),
            module="crashes",
            function="aborts_on_negative",
            batch_size=1,
            ordering=ordering,
            on_error=Retry(100, backoff=0),
        )
    assert unavailable(caught.value)
    assert isinstance(caught.value.reason.__cause__, WorkerCrashed)
    assert sorted(item.id for item in caught.value.partial_results) == list(range(100))
    assert caught.value.unfinished[0] == 100
    # The fourth was one too many; the other worker may have died at the same time, or of that. And those do not count
    # that came before the last of the hundred was completed.
    seen = counts(system)
    assert 4 <= seen.deaths <= 7
    assert 4 <= seen.exits["SIGABRT"] <= 7
    assert set(seen.kills) <= {"budget"}
    eventually(lambda: pool(system).available, 20)
    assert works(system)


def test_runs_hear_of_the_end_while_a_worker_is_in_mid_batch(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """Killed from outside at a gate, so that each death is one that the test has made."""
    system, gates = start(3, max_restarts=1, max_seconds=600.0, shutdown=SHUTDOWN), Gates(tmp_path)
    errors: list[BaseException] = []

    def run(name: str) -> None:
        try:
            system.dispatch.run(
                [(1, gates[name])],
                module="tasks",
                function="through_gates",
                timeout=None,
                on_error=Retry(10, backoff=0),
            )
        except BaseException as error:
            errors.append(error)

    began = time.monotonic()
    with beside(run, "a"), beside(run, "b"), beside(run, "c"):
        bystanders = [gates.wait_begun("b")[0], gates.wait_begun("c")[0]]
        kill_and_wait(gates.wait_begun("a")[0])
        kill_and_wait(gates.wait_begun("a", 2)[1])
        eventually(lambda: len(errors) == 3, 20)
    # It did not wait for the others to end by themselves, which they never would have.
    assert time.monotonic() - began < SHUTDOWN
    wait_gone(*bystanders)
    assert all(map(unavailable, errors))
    assert [error.unfinished for error in errors] == [[0]] * 3  # type: ignore[attr-defined]
    eventually(lambda: counts(system).exits.get("SIGKILL") == 4)
    seen = counts(system)
    assert seen.deaths == 2
    assert seen.kills == {"budget": 2}
    eventually(lambda: pool(system).available, 20)
    assert works(system)


@pytest.mark.parametrize("function", ["in_python", "and_ignores_signals", "in_c_with_the_interpreter_lock"])
def test_workers_that_hang_do_not_delay_its_end(start: Start, tmp_path: Path, function: str) -> None:
    system = start(2, max_restarts=0, shutdown=SHUTDOWN)
    path = tmp_path / "pid"

    def hang() -> None:
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run([str(path)], module="hangs", function=function, timeout=None)
        assert unavailable(caught.value)

    with beside(hang):
        (hung,) = pids_in(path)
        (other,) = set(pids(system)) - {hung}
        kill_and_wait(other)
    wait_gone(hung)
    assert counts(system).kills == {"budget": 1}


def test_after_giving_up_a_pool_answers_at_once_and_comes_back(start: Start, eventually: Callable[..., None]) -> None:
    system = start(1, max_restarts=0)
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(works(system))
        except BaseException as error:
            outcomes.append(error)

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([0, 0], module="crashes", function="exits_in_c", on_error="skip", batch_size=1)
    assert unavailable(caught.value)
    # Each caller from now on is served or refused, and never hangs; in the end it is served.
    for _ in range(3):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert all(outcome is True or unavailable(outcome) for outcome in outcomes)  # type: ignore[arg-type]
    eventually(lambda: pool(system).available, 20)
    assert works(system)
    assert counts(system).deaths == 1


def test_every_run_of_a_pool_that_gives_up_is_told(start: Start) -> None:
    system = start(1, max_restarts=0)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            system.dispatch.run(
                [0] * 5, module="crashes", function="exits_in_c", batch_size=1, on_error=Retry(5, backoff=0)
            )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [unavailable(error) for error in errors] == [True] * 4


def test_one_pool_that_gives_up_leaves_the_others_alone() -> None:
    specs = {name: {"size": 1, "path": [FUNCTIONS, EVIL], "max_restarts": 0} for name in ("default", "other")}
    with System(specs, name="faults") as system:
        (other,) = [each.pid for each in system.statistics().pools["other"].executors]
        for _ in range(2):
            with pytest.raises(DispatchError) as caught:
                system.dispatch.run([0, 0], module="crashes", function="exits_in_c", batch_size=1, on_error="skip")
            assert unavailable(caught.value)
            assert system.dispatch.run([1], module="tasks", function="double", pool="other")[0].payload == 2
        assert alive(other)
        seen = system.statistics().pools["other"].counts
        assert (seen.deaths, seen.exits, seen.started) == (0, {}, 1)
