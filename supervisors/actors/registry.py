"""Names for actors: those that an actor has while it lives, and those of child specs, which survive restarts."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import pykka

from supervisors.actors.lifecycle import Down, Monitor, checked_lifecycle, monitor
from supervisors.actors.via import Via
from supervisors.errors import AlreadyRegistered, NotRegistered, SpecError
from supervisors.runtime.interrupts import locked
from supervisors.wording import shown

__all__ = ["Claim", "Registry"]


class Claim:
    """The hold of a child's spec on a name. Made by `Registry.claim`; its supervisor sets the actor behind the name."""

    __slots__ = ("_registry", "holder", "name", "ref")

    def __init__(self, registry: Registry, name: Hashable, holder: str) -> None:
        self._registry = registry
        self.name = name
        self.holder = holder
        # The actor that runs as this child; None while it does not run, or has not started yet.
        self.ref: pykka.ActorRef[Any] | None = None

    def release(self) -> None:
        """Free the name."""
        self.ref = None
        locked(self._registry._lock, self._registry._unclaim, self)


class Registry:
    """Names that lead to live actors. Safe from any thread.

    A name that an actor was given with `register` is free again when that actor ends. A name of a child's spec
    (`ChildSpec(register=...)`) leads to whichever actor runs as that child, and is the spec's in between. Each
    scheduler has a registry, in which its supervisors enter the names of their specs: `Scheduler.registry`.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[pykka.ActorRef[Any], Monitor]] = {}
        self._claims: dict[Hashable, Claim] = {}
        # Reentrant: `monitor` calls `_down` at once if the actor is dead already.
        self._lock = threading.RLock()

    def register(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        """Give `ref` a name; it may have several. Again with the same one is without effect.

        Raises:
            AlreadyRegistered: it belongs to another live actor, or to a child's spec.
            TypeError: `ref` is no reference, or that of an actor that reports no end.
        """
        checked_lifecycle(ref, "registered")
        locked(self._lock, self._register, name, ref)

    def claim(self, name: Hashable, holder: str) -> Claim:
        """Hold a name for a child's spec, until the claim is released.

        Args:
            name: the name.
            holder: the child, in words.

        Raises:
            AlreadyRegistered: it belongs to a live actor, or to the spec of another child.
        """
        return locked(self._lock, self._claim, name, holder)

    def whereis(self, name: Hashable) -> pykka.ActorRef[Any] | None:
        """Return the live actor of that name; None if there is none, also while the child of that name restarts."""
        claim = self._claims.get(name)
        if claim is not None:
            ref = claim.ref
            return ref if ref is not None and ref.is_alive() else None
        entry = self._entries.get(name)
        return entry[0] if entry is not None and entry[0].is_alive() else None

    def lookup(self, name: Hashable) -> pykka.ActorRef[Any]:
        """Return the live actor of that name.

        Raises:
            NotRegistered: there is none; the message names the child that the name belongs to, if it is one's.
        """
        ref = self.whereis(name)
        if ref is None:
            claim = self._claims.get(name)
            raise NotRegistered(name, claim.holder if claim is not None else "")
        return ref

    def via(self, name: Hashable) -> Via[Any]:
        """Return a handle that looks the name up at each use, so that it survives restarts.

        The name need not exist yet. A field of type ``Ref[CacheMessage]`` may hold it.
        """
        return Via(self, name)

    def unregister(self, name: Hashable) -> bool:
        """Free a name that was given with `register`. True if it was taken.

        Raises:
            SpecError: it belongs to a child's spec; it is free when that is deleted.
        """
        return locked(self._lock, self._unregister, name)

    def names(self) -> list[Hashable]:
        """Return the names of live actors."""
        return locked(self._lock, self._names)

    # These run with the lock held.

    def _register(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        claim = self._claims.get(name)
        if claim is not None:
            if claim.ref is ref:
                return
            raise AlreadyRegistered(name, claim.ref, claim.holder, str(ref))
        entry = self._entries.get(name)
        if entry is not None:
            if entry[0] is ref:
                return
            self._evict(name, entry, str(ref))
        if not ref.is_alive():
            return

        def down(_: Down) -> None:
            locked(self._lock, self._forget, name, ref)

        self._entries[name] = (ref, monitor(ref, down))
        # It may have died between the look and the monitor, and been forgotten before it was entered.
        if not ref.is_alive():
            self._forget(name, ref)

    def _claim(self, name: Hashable, holder: str) -> Claim:
        other = self._claims.get(name)
        if other is not None:
            raise AlreadyRegistered(name, other.ref, other.holder, holder)
        entry = self._entries.get(name)
        if entry is not None:
            self._evict(name, entry, holder)
        claim = self._claims[name] = Claim(self, name, holder)
        return claim

    def _unregister(self, name: Hashable) -> bool:
        claim = self._claims.get(name)
        if claim is not None:
            raise SpecError(f"the name {shown(name)} belongs to {claim.holder}; it is free when its spec is deleted")
        entry = self._entries.pop(name, None)
        if entry is not None:
            entry[1].cancel()
        return entry is not None

    def _names(self) -> list[Hashable]:
        return [name for name in (*self._entries, *self._claims) if self.whereis(name) is not None]

    def _evict(self, name: Hashable, entry: tuple[pykka.ActorRef[Any], Monitor], wanted: str) -> None:
        """Drop the entry of an actor whose end has not been reported yet."""
        if entry[0].is_alive():
            raise AlreadyRegistered(name, entry[0], wanted=wanted)
        entry[1].cancel()
        del self._entries[name]

    def _forget(self, name: Hashable, ref: pykka.ActorRef[Any]) -> None:
        entry = self._entries.get(name)
        if entry is not None and entry[0] is ref:
            del self._entries[name]

    def _unclaim(self, claim: Claim) -> None:
        if self._claims.get(claim.name) is claim:
            del self._claims[claim.name]
