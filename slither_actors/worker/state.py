"""What the worker that this process is knows of itself and of the call it is executing."""

from __future__ import annotations

from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import ContextVar
    from typing import Any, Final

    Store = dict[str, Any]

MAX_SESSIONS: Final = 1024
"""Stores of so many sessions are kept, those used last: not every session's end is announced."""


class SessionStores:
    """The stores of the sessions that this worker has served; a store is made when it is first asked for."""

    __slots__ = ("_calls", "_limit", "_loose", "_stores", "current")

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._stores: OrderedDict[str, Store] = OrderedDict()
        self._loose: Store | None = None
        self.current: str | None = None
        self._calls: ContextVar[SessionStores | None] | None = None

    def separate(self) -> None:
        """Prepare for several calls at a time: from now on each has `begin_here` in a context of its own."""
        from contextvars import ContextVar

        self._calls = ContextVar("slither_session", default=None)

    def begin_here(self, session_id: str | None) -> None:
        """Begin a call of this session in the context of the caller: that of a task or of a thread."""
        assert self._calls is not None
        call = SessionStores(self._limit)
        call._stores = self._stores  # of all calls together
        call.current = session_id
        self._calls.set(call)

    def here(self) -> SessionStores:
        """Return the stores as the call sees them that asks."""
        if self._calls is None:
            return self
        call = self._calls.get()
        return _NO_CALL if call is None else call

    def begin(self, session_id: str | None) -> None:
        """Begin a call of this session; None: of no session."""
        self.current = session_id
        self._loose = None

    def store(self) -> Store:
        """Return the store of the current call's session, or a dict that ends with a call without session."""
        session_id = self.current
        if session_id is None:
            if self._loose is None:
                self._loose = {}
            return self._loose
        # Each step is one call in C, so that threads that execute calls at the same time need no lock.
        store = self._stores.get(session_id)
        if store is None:
            store = self._stores.setdefault(session_id, {})
            if len(self._stores) > self._limit:
                self._stores.popitem(last=False)
        else:
            try:
                self._stores.move_to_end(session_id)
            except KeyError:  # another thread has dropped it meanwhile
                pass
        return store

    def forget(self, session_id: str) -> None:
        """Drop the session's store."""
        self._stores.pop(session_id, None)

    def __len__(self) -> int:
        return len(self._stores)


sessions: Final = SessionStores()
_NO_CALL: Final = SessionStores()  # what code sees that is in no call, where each call has a context
_running = False
_pool = ""
_index = 0


def enter_worker() -> None:
    """From now on this process is a worker."""
    global _running
    _running = True


def set_place(pool: str, index: int) -> None:
    """Note which worker this is."""
    global _pool, _index
    _pool, _index = pool, index


def in_worker() -> bool:
    """Whether this process is a worker."""
    return _running


def index() -> int:
    """Return this worker's place in its pool, from 0 to ``size - 1``. A worker that replaces another has its index.

    Raises:
        RuntimeError: this process is no worker.
    """
    _check_place()
    return _index


def pool() -> str:
    """Return the name of this worker's pool.

    Raises:
        RuntimeError: this process is no worker.
    """
    _check_place()
    return _pool


def _check_place() -> None:
    if not _running:
        raise RuntimeError("this process is not a worker, so it has no pool; see slither_actors.worker.in_worker()")


def session() -> Store:
    """Return the store of the session in execution: a dict that its later calls on this worker see.

    For plain functions; an adapter has it as ``self.session``. Only the 1,024 sessions used last are kept, and nothing
    of a worker that died: a store is a cache. In a call without session it ends with the call. Where a worker executes
    several batches at a time, those of one session share it, also at the same time, unless the affinity is "strict".
    """
    return sessions.here().store()
