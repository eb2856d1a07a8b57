"""Names for actors."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import pykka

from supervisors.exits import SupervisorError
from supervisors.life import Down, Monitor, monitor

__all__ = ["AlreadyRegistered", "Registry"]


class AlreadyRegistered(SupervisorError):
    """The name belongs to an actor that is alive.

    Args:
        name: the name.
        ref: whose it is.
    """

    def __init__(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        super().__init__(name, ref)
        self.name = name
        self.ref = ref

    def __str__(self) -> str:
        return f"the name {self.name!r} belongs to {self.ref}"


class Registry:
    """Names that lead to live actors: a name is free again when its actor ends. Safe from any thread."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[pykka.ActorRef[Any], Monitor]] = {}
        # Reentrant: `monitor` calls `_down` at once if the actor is dead already.
        self._lock = threading.RLock()

    def register(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        """Give `ref` a name; it may have several. Again with the same one is without effect.

        Raises:
            AlreadyRegistered: it belongs to another live actor.
            TypeError: `ref` is an actor whose end nobody reports.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None:
                if entry[0] is ref:
                    return
                if entry[0].is_alive():
                    raise AlreadyRegistered(name, entry[0])
                entry[1].cancel()
                del self._entries[name]
            if not ref.is_alive():
                return

            def down(_: Down) -> None:
                self._forget(name, ref)

            self._entries[name] = (ref, monitor(ref, down))
            # It may have died between the look and the monitor, and been forgotten before it was entered.
            if not ref.is_alive():
                self._forget(name, ref)

    def whereis(self, name: Hashable) -> pykka.ActorRef[Any] | None:
        """The live actor of that name, or None."""
        entry = self._entries.get(name)
        return entry[0] if entry is not None and entry[0].is_alive() else None

    def unregister(self, name: Hashable) -> bool:
        """Free a name. True if it was taken."""
        with self._lock:
            entry = self._entries.pop(name, None)
            if entry is not None:
                entry[1].cancel()
            return entry is not None

    def names(self) -> list[Hashable]:
        """The names of live actors."""
        with self._lock:
            return [name for name, (ref, _) in self._entries.items() if ref.is_alive()]

    def _forget(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry[0] is ref:
                del self._entries[name]
