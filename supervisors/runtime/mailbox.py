"""What a scheduler delivers to: the base of light actors, and the recipient of posted functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisors.runtime.scheduler import Scheduler
    from supervisors.runtime.timers import Timer

__all__ = ["FunctionTarget", "GuaranteedCall", "MailboxTarget", "special_types"]

# Types of messages that are not for on_receive (Pykka's own, and ours); light_ref.py fills it.
special_types: set[type] = set()


class MailboxTarget:
    """What a mailbox entry may be for, and what timers and descriptors may belong to: see LightActor."""

    _alive: bool = False
    _timers: set[Timer] | None = None
    _descriptors: set[int] | None = None

    def on_receive(self, message: Any) -> object:
        """Handle an ordinary message."""
        raise NotImplementedError

    def _special(self, message: Any) -> None:
        """Handle one of the `special_types`, also when dead."""
        raise NotImplementedError

    def _refuse(self, message: Any) -> None:
        """Answer one of the `special_types` that nobody will handle. On any thread."""

    def _crashed(self, exception: BaseException) -> None:
        """An exception left its code."""
        raise NotImplementedError

    def _dissolve(self) -> None:
        """The scheduler ends."""
        raise NotImplementedError


class GuaranteedCall:
    """A posted call that is made in any case: in its turn, or at the scheduler's end if that comes before it."""

    __slots__ = ("argument", "fn")

    def __init__(self, fn: Callable[[Any], object], argument: Any) -> None:
        self.fn = fn
        self.argument = argument


special_types.add(GuaranteedCall)


class FunctionTarget(MailboxTarget):
    """The recipient of posted functions: makes them messages like all others, and so cheap."""

    _alive = True

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def on_receive(self, message: tuple[Callable[..., object], tuple[Any, ...]]) -> None:
        fn, args = message
        owner = getattr(fn, "__self__", None)
        if not isinstance(owner, MailboxTarget):
            self._scheduler.run_guarded(None, fn, *args)
        elif owner._alive:  # nothing of an actor runs after its on_exit
            self._scheduler.run_guarded(owner, fn, *args)

    def _special(self, message: GuaranteedCall) -> None:
        message.fn(message.argument)

    _refuse = _special

    def _crashed(self, exception: BaseException) -> None:
        self._scheduler.log_exception("a posted function", exception)
