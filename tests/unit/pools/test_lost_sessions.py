"""What a pool remembers of sessions that were lost with their worker."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from slither_actors import ProtocolError, SessionLost, WorkerCrashed, WorkerRecycled
from slither_actors.pools.assignment.job import WorkerSlot
from slither_actors.pools.assignment.sessions import TAIL, Sessions


def lost_with(sessions: Sessions, slot: WorkerSlot, *names: str, error: Exception) -> None:
    for name in names:
        sessions.taken(name, slot, None, bound=True)
        sessions.given_back(name)
    sessions.slot_died(slot, set(), error)


def cause_of(refusal: object) -> BaseException | None:
    assert isinstance(refusal, SessionLost)
    return refusal.__cause__


@pytest.mark.parametrize("affinity", ["strict", "fail_fast"])
def test_it_is_told_once_with_the_cause(affinity: str) -> None:
    sessions, slot = Sessions(), WorkerSlot(0)
    lost_with(sessions, slot, "a", "b", error=WorkerRecycled("max_rss"))
    for name in ("a", "b"):
        cause = cause_of(sessions.refusal(name, affinity, None))
        assert isinstance(cause, WorkerRecycled)
        assert cause.reason == "max_rss"
        assert sessions.refusal(name, affinity, None) is None
    assert len(sessions) == 0


def test_of_a_crash_the_end_of_the_last_words_is_kept() -> None:
    sessions, slot = Sessions(), WorkerSlot(0)
    lost_with(sessions, slot, "a", error=WorkerCrashed(signal=11, stderr_tail="x" * 80_000 + "the end"))
    cause = cause_of(sessions.refusal("a", "strict", None))
    assert isinstance(cause, WorkerCrashed)
    assert cause.signal == 11
    assert cause.stderr_tail.endswith("the end")
    assert len(cause.stderr_tail) == TAIL
    assert len(str(cause)) < 2 * TAIL


def test_nothing_that_hangs_on_the_error_is_kept() -> None:
    class Host:
        """Stands for the worker's host, with its buffers, that was in a frame when the error was raised."""

    def read() -> ProtocolError:
        host = Host()
        held.append(weakref.ref(host))
        try:
            raise ProtocolError("magic", "no frame")
        except ProtocolError as error:
            assert sys.exc_info()[2] is not None
            return error

    held: list[weakref.ref[Host]] = []
    sessions, slot = Sessions(), WorkerSlot(0)
    lost_with(sessions, slot, "a", error=read())
    gc.collect()
    assert held[0]() is None
    cause = cause_of(sessions.refusal("a", "strict", None))
    assert isinstance(cause, ProtocolError)
    assert (cause.reason, str(cause)) == ("magic", "no frame")


def test_those_lost_longest_ago_are_forgotten_first() -> None:
    sessions, slot = Sessions(limit=3), WorkerSlot(0)
    for name in ("a", "b", "c", "d"):
        lost_with(sessions, slot, name, error=WorkerRecycled("max_batches"))
    assert sessions.refusal("a", "strict", None) is None
    assert all(isinstance(sessions.refusal(name, "strict", None), SessionLost) for name in ("b", "c", "d"))
