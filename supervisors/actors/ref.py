"""What the sender of a message knows of its receiver: the messages that it takes, and no more."""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Ref"]

M_contra = TypeVar("M_contra", contravariant=True)


class Ref(Protocol[M_contra]):
    """A reference that takes messages of one type, usually a union of message classes.

    Every actor reference of this package is one. A field of type ``Ref[PoolMessage]`` makes the type checker refuse a
    message that the Pool does not handle, at the place where it is sent.
    """

    def tell(self, message: M_contra, /) -> None:
        """Send a message. From any thread; never blocks. A dead actor drops it."""

    def is_alive(self) -> bool:
        """Return whether the actor has not ended yet."""
