"""Which worker a session belongs to. Pure.

"hint" remembers who served a session last. "strict" binds it: its batches go to that worker alone, one at a time, and
if the worker dies the session is lost, which its next batch reports. "fail_fast" is strict, but never waits.
"""

from __future__ import annotations

import copy

from slither_actors.errors import SessionBusy, SessionLost, WorkerCrashed
from slither_actors.pools.assignment.job import WorkerSlot

MAX_SESSIONS = 4096
"""Sessions remembered in a pool. A service makes new ones without end; each worker keeps the stores of 1,024."""

TAIL = 2_000
"""Characters kept of a dead worker's last words for a session that was lost with it: there may be 4,096 of them."""


class Sessions:
    """The sessions of one pool.

    Args:
        limit: how many are remembered; beyond it the one not used for longest is forgotten, unless it is busy.
        concurrency: batches that a worker executes at a time.
    """

    def __init__(self, limit: int = MAX_SESSIONS, concurrency: int = 1) -> None:
        self._limit = limit
        self._concurrency = concurrency
        self._slots: dict[str, WorkerSlot] = {}  # the least recently used first
        self.bound: set[str] = set()
        """Those that have one worker, which is known."""
        self._busy: dict[str, object] = {}  # whose batch it is
        self._lost: dict[str, Exception] = {}  # and why; the longest ago first

    def __len__(self) -> int:
        return len(self._slots) + len(self._lost)

    def slot_of(self, session: str) -> WorkerSlot | None:
        """Return the worker that served it last."""
        return self._slots.get(session)

    def binds_another(self, slot: WorkerSlot, session: str | None) -> bool:
        """Return whether a session other than this one is bound to the worker, so that its end would harm that."""
        return any(name != session and self._slots.get(name) is slot for name in self.bound)

    def is_busy(self, session: str) -> bool:
        """Return whether a batch of a bound session is at a worker."""
        return session in self._busy

    def refusal(self, session: str, affinity: str, asker: object) -> SessionLost | SessionBusy | None:
        """Return why the next batch of a bound session fails without being sent; None if it does not.

        SessionLost is reported once, then the session starts again. SessionBusy is for other runs: the one that
        has the session waits for its own batches.
        """
        if session in self._lost:
            return lost(session, self._lost.pop(session))
        if affinity == "fail_fast":
            slot = self._slots.get(session)
            holder = self._busy.get(session)
            full = slot is not None and slot.load >= self._concurrency
            if (holder is not None and holder is not asker) or (holder is None and full):
                return SessionBusy(session)
        return None

    def taken(self, session: str, slot: WorkerSlot, holder: object, *, bound: bool) -> None:
        """Record that a batch of a session, of this run, went to this worker."""
        if not bound and session in self.bound:
            return  # a "hint" run beside a "strict" one: the session stays where it is bound
        self._slots.pop(session, None)
        self._slots[session] = slot
        if bound:
            self.bound.add(session)
            self._busy[session] = holder
        if len(self._slots) > self._limit:
            idle = next((name for name in self._slots if name not in self._busy), None)
            if idle is not None:
                self.forget(idle)

    def given_back(self, session: str) -> None:
        """Record that its batch has left the worker."""
        self._busy.pop(session, None)

    def slot_died(self, slot: WorkerSlot, told: set[str], error: Exception) -> None:
        """Record that a worker died, and with it all that its sessions had there.

        Args:
            slot: whose.
            told: sessions that report it now, as a batch of theirs fails with it.
            error: why it died.
        """
        kept: Exception | None = None
        for session in [name for name, owner in self._slots.items() if owner is slot]:
            bound = session in self.bound
            self.forget(session)
            if bound and session not in told:
                kept = kept or _for_later(error)
                self._lost[session] = kept
        while len(self._lost) > self._limit:
            del self._lost[next(iter(self._lost))]

    def forget(self, session: str) -> None:
        """Forget a session: its run has ended, and no other run has its id."""
        self._slots.pop(session, None)
        self.bound.discard(session)
        self._busy.pop(session, None)
        self._lost.pop(session, None)


def lost(session: str, error: Exception) -> SessionLost:
    """Return the error for the next batch of a session whose worker has ended.

    Args:
        session: its id.
        error: why the worker ended.
    """
    told = SessionLost(session)
    told.__cause__ = error
    return told


def _for_later(error: Exception) -> Exception:
    """Return a copy of the error without frames and without all of a long tail, as it may be kept for long."""
    if isinstance(error, WorkerCrashed):
        return WorkerCrashed(error.exit_code, error.signal, error.stderr_tail[-TAIL:])
    return copy.copy(error)
