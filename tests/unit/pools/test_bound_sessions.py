"""A session that is bound to a worker stays there, also when a run that merely prefers its worker uses it."""

from __future__ import annotations

from slither_actors.errors import WorkerCrashed
from slither_actors.pools.assignment.job import WorkerSlot
from slither_actors.pools.assignment.sessions import Sessions


def test_a_hint_moves_no_session_that_is_bound() -> None:
    sessions, mine, other = Sessions(), WorkerSlot(0), WorkerSlot(1)
    sessions.taken("a", mine, "strict run", bound=True)
    sessions.taken("a", other, "hint run", bound=False)
    assert sessions.slot_of("a") is mine
    sessions.slot_died(other, set(), WorkerCrashed(exit_code=1, signal=None, stderr_tail=""))
    assert sessions.is_busy("a")
    assert sessions.refusal("a", "strict", "strict run") is None


def test_a_hint_moves_a_session_that_is_not_bound() -> None:
    sessions, first, second = Sessions(), WorkerSlot(0), WorkerSlot(1)
    sessions.taken("a", first, "run", bound=False)
    sessions.taken("a", second, "run", bound=False)
    assert sessions.slot_of("a") is second
