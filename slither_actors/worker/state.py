"""What the worker that this process is knows of itself and of the call it is executing."""

from __future__ import annotations

from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    Store = dict[str, Any]

MAX_SESSIONS: Final = 1024
"""Stores of so many sessions are kept, those used last: not every session's end is announced."""


class SessionStores:
    """The stores of the sessions that this worker has served; a store is made when it is first asked for."""

    __slots__ = ("_limit", "_loose", "_stores", "current")

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._stores: OrderedDict[str, Store] = OrderedDict()
        self._loose: Store | None = None
        self.current: str | None = None

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
        store = self._stores.get(session_id)
        if store is None:
            store = self._stores[session_id] = {}
            if len(self._stores) > self._limit:
                self._stores.popitem(last=False)
        else:
            self._stores.move_to_end(session_id)
        return store

    def forget(self, session_id: str) -> None:
        """Drop the session's store."""
        self._stores.pop(session_id, None)

    def __len__(self) -> int:
        return len(self._stores)


sessions: Final = SessionStores()
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
    of a worker that died: a store is a cache. In a call without session it ends with the call.
    """
    return sessions.store()
