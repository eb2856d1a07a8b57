"""Workers are killed at random, one at a time, until the context is left."""

from __future__ import annotations

import random
import signal
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from slither_actors.demos import killer
from slither_actors.demos.killer import FIRST, PAUSE, Killer


class Rounds:
    """Takes the place of the event that ends the thread: it is set after so many rounds."""

    def __init__(self, rounds: int) -> None:
        self._left = rounds
        self.pauses: list[float] = []

    def wait(self, pause: float) -> bool:
        """Return whether the rounds are over."""
        self.pauses.append(pause)
        self._left -= 1
        return self._left < 0

    def set(self) -> None:
        """Do nothing: the rounds say when it is over."""


class Kills:
    """The signals that were sent."""

    def __init__(self, gone: set[int]) -> None:
        self.gone = gone
        self.sent: list[tuple[int, int]] = []

    def kill(self, pid: int, number: int) -> None:
        """Keep a signal, or say that its process has gone."""
        if pid in self.gone:
            raise ProcessLookupError
        self.sent.append((pid, number))


def a_system(*pools: list[int | None]) -> Any:
    """A System whose pools have workers with these process ids."""
    snapshots = {
        str(number): types.SimpleNamespace(executors=[types.SimpleNamespace(pid=pid) for pid in pids])
        for number, pids in enumerate(pools)
    }
    return types.SimpleNamespace(statistics=lambda: types.SimpleNamespace(pools=snapshots))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Killer, Rounds, Kills]]:
    """``run(system, rounds)``: what became of so many rounds."""

    def execute(system: Any, rounds: int, gone: set[int] | None = None) -> tuple[Killer, Rounds, Kills]:
        kills, over = Kills(gone or set()), Rounds(rounds)
        monkeypatch.setattr(killer, "os", kills)
        made = Killer(system)
        made._over = over  # type: ignore[assignment]
        with made:
            pass
        return made, over, kills

    return execute


def test_each_round_kills_one_worker_of_any_pool(run: Callable[..., tuple[Killer, Rounds, Kills]]) -> None:
    random.seed(1)
    made, _, kills = run(a_system([1, 2], [3]), 50)
    assert made.killed == 50
    assert {number for _, number in kills.sent} == {signal.SIGKILL}
    assert {pid for pid, _ in kills.sent} == {1, 2, 3}


def test_the_first_kill_is_soon_and_later_pauses_vary(run: Callable[..., tuple[Killer, Rounds, Kills]]) -> None:
    _, over, _ = run(a_system([1]), 20)
    first, *others = over.pauses
    assert first == FIRST
    assert all(PAUSE[0] <= pause <= PAUSE[1] for pause in others)
    assert len(set(others)) > 1


def test_where_no_worker_has_a_process_none_is_killed(run: Callable[..., tuple[Killer, Rounds, Kills]]) -> None:
    for system in (a_system(), a_system([]), a_system([None, None])):
        made, over, kills = run(system, 3)
        assert (made.killed, kills.sent, len(over.pauses)) == (0, [], 4)
    made, _, kills = run(a_system([None, 7]), 3)
    assert kills.sent == [(7, signal.SIGKILL)] * 3


def test_a_worker_that_has_ended_by_itself_does_not_count(run: Callable[..., tuple[Killer, Rounds, Kills]]) -> None:
    made, over, kills = run(a_system([7]), 3, gone={7})
    assert (made.killed, kills.sent, len(over.pauses)) == (0, [], 4)


def test_leaving_the_context_ends_the_thread_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killer, "FIRST", 3600.0)
    monkeypatch.setattr(killer, "os", Kills(set()))
    before = set(threading.enumerate())
    with Killer(a_system([1])) as made:
        (thread,) = set(threading.enumerate()) - before
        assert (thread.name, thread.daemon) == ("slither-actors-killer", True)
    assert made.killed == 0
    assert not thread.is_alive()
