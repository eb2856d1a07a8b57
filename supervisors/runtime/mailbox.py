"""The targets of a scheduler's messages: the base of light actors, and the target of posted functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

__all__ = ["FunctionTarget", "GuaranteedCall", "Guard", "MailboxTarget", "OwnedTimer", "special_types"]

T = TypeVar("T")

# Types of messages that are not for on_receive (Pykka's own, and ours); light_ref.py fills it.
special_types: set[type] = set()


class OwnedTimer(Protocol):
    """A timer, as its owner knows it."""

    def cancel_owned(self) -> None:
        """Cancel it at the end of its owner, which iterates over its set of timers: leave that unchanged."""


class MailboxTarget:
    """The receiver of mailbox entries, and the owner of timers and descriptors: see LightActor."""

    _alive: bool = False
    _timers: set[OwnedTimer] | None = None
    _descriptors: set[int] | None = None

    def on_receive(self, message: Any) -> object:
        """Handle an ordinary message."""
        raise NotImplementedError

    def _special(self, message: Any) -> None:
        """Handle one of the `special_types`, also when dead."""
        raise NotImplementedError

    def _refuse(self, message: Any) -> None:
        """Answer one of the `special_types` that will not be handled. On any thread."""

    def _crashed(self, exception: BaseException) -> None:
        """Handle an exception that left its code."""
        raise NotImplementedError

    def _dissolve(self) -> None:
        """End, as the scheduler ends."""
        raise NotImplementedError


class GuaranteedCall(Struct, Generic[T], frozen=True):
    """A posted call that is made in any case: in its turn, or at the scheduler's end if that comes first."""

    fn: Callable[[T], object]
    argument: T


special_types.add(GuaranteedCall)


class Guard(Protocol):
    """What a FunctionTarget needs of its scheduler."""

    def run_guarded(self, owner: MailboxTarget | None, fn: Callable[..., object], /, *args: object) -> None:
        """Call ``fn(*args)``; an exception crashes `owner`, or is logged if there is none."""

    def log_exception(self, what: str, exception: BaseException, /) -> None:
        """Log that `what` raised."""


class FunctionTarget(MailboxTarget):
    """The target of posted functions, which are thereby ordinary messages, and cheap."""

    _alive = True

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def on_receive(self, message: tuple[Callable[..., object], tuple[Any, ...]]) -> None:
        fn, args = message
        owner = getattr(fn, "__self__", None)
        if not isinstance(owner, MailboxTarget):
            self._guard.run_guarded(None, fn, *args)
        elif owner._alive:  # nothing of an actor runs after its on_exit
            self._guard.run_guarded(owner, fn, *args)

    def _special(self, message: GuaranteedCall[Any]) -> None:
        message.fn(message.argument)

    _refuse = _special

    def _crashed(self, exception: BaseException) -> None:
        self._guard.log_exception("a posted function", exception)
