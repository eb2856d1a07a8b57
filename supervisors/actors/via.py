"""Handles that find their actor by name at each use, and so survive restarts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

import pykka

from supervisors.actors.calls import CALL_TIMEOUT, call

__all__ = ["Names", "Via"]

M_contra = TypeVar("M_contra", contravariant=True)


class Names(Protocol):
    """What a Via needs of a Registry."""

    def whereis(self, name: Hashable, /) -> pykka.ActorRef[Any] | None:
        """Return the live actor of that name, or None."""

    def lookup(self, name: Hashable, /) -> pykka.ActorRef[Any]:
        """Return the live actor of that name, or raise NotRegistered."""


class Via(Generic[M_contra]):
    """An actor by its name, as OTP's ``{:via, Registry, name}``. Made by `Registry.via`.

    The name is looked up at each use, so that the handle is valid before the actor has started and after each restart.
    It is a `Ref`. Safe from any thread.

    Args:
        registry: where the name is looked up.
        name: the name.
    """

    __slots__ = ("name", "registry")

    def __init__(self, registry: Names, name: Hashable) -> None:
        hash(name)
        self.registry = registry
        self.name = name

    def tell(self, message: M_contra, /) -> None:
        """Send a message. Never blocks. Dropped if no actor has the name now, as by `GenServer.cast`."""
        ref = self.registry.whereis(self.name)
        if ref is not None:
            ref.tell(message)

    @overload
    def ask(
        self, message: M_contra, /, *, block: Literal[False], timeout: float | None = CALL_TIMEOUT
    ) -> pykka.Future[Any]: ...

    @overload
    def ask(
        self, message: M_contra, /, *, block: Literal[True] = True, timeout: float | None = CALL_TIMEOUT
    ) -> Any: ...

    def ask(self, message: M_contra, /, *, block: bool = True, timeout: float | None = CALL_TIMEOUT) -> Any:
        """Send a message and wait for the answer: `call` of the actor that has the name now.

        With ``block=False`` return the future of the answer, as an actor's own `ask` does; its `get` has no limit but
        the one that it is given.

        Raises:
            NotRegistered: no actor has the name now. (In OTP the call exits with `noproc`.)
            CallTimeout: no answer within `timeout` seconds; None: no limit.
            pykka.ActorDeadError: the actor ended before it answered.
            WouldDeadlock: on a scheduler's thread.
        """
        if not block:
            return self.ref().ask(message, block=False)
        return call(self.ref(), message, timeout)

    def ref(self) -> pykka.ActorRef[Any]:
        """Return the reference of the actor that has the name now, which does not survive a restart.

        Raises:
            NotRegistered: no actor has the name now.
        """
        return self.registry.lookup(self.name)

    def is_alive(self) -> bool:
        """Return whether an actor has the name now."""
        return self.registry.whereis(self.name) is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Via):
            return NotImplemented
        return self.registry is other.registry and bool(self.name == other.name)

    def __hash__(self) -> int:
        return hash((id(self.registry), self.name))

    def __repr__(self) -> str:
        return f"Via({self.name!r})"
