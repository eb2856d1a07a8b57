"""References to light actors: delivery of messages, and answers to messages that arrive after the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

import pykka
from msgspec import Struct
from pykka import messages
from pykka._envelope import Envelope

from supervisors.actors.futures import check_may_block
from supervisors.actors.lifecycle import Down, DownNotice, Lifecycle
from supervisors.exits import ExitReason, Killed
from supervisors.runtime.mailbox import GuaranteedCall, MailboxTarget, special_types
from supervisors.runtime.scheduler import Scheduler

__all__ = ["AskShutdown", "LightInbox", "LightRef", "LightTarget", "Start", "dead", "refuse"]

A = TypeVar("A", bound="LightTarget")


class Start(Struct, frozen=True):
    """The first message to an actor."""


class AskShutdown(Struct, frozen=True):
    """The request to end; handled in turn, after the messages that were sent before it."""

    reason: ExitReason


class LightTarget(pykka.Actor, MailboxTarget):
    """A light actor, as far as its reference and its inbox know it."""

    scheduler: Scheduler

    def exit(self, reason: ExitReason) -> None:
        """End now. Scheduler thread only."""
        raise NotImplementedError


special_types.update(
    (
        Envelope,
        messages._ActorStop,
        messages.ProxyCall,
        messages.ProxyGetAttr,
        messages.ProxySetAttr,
        DownNotice,
        Start,
        AskShutdown,
    )
)


class LightRef(pykka.ActorRef[A]):
    """Reference to a light actor. Keeps the actor itself only while that is alive."""

    def __init__(self, actor: A) -> None:
        super().__init__(actor)
        scheduler = actor.scheduler
        self._scheduler = scheduler
        self._append = scheduler._ready.append
        self._actor: A | None = actor
        self._lifecycle = _LightLifecycle(self)

    def is_alive(self) -> bool:
        """Return True until it has ended."""
        return self._actor is not None

    def tell(self, message: object) -> None:
        """Send a message. From any thread; never blocks, never raises. To a dead actor it is dropped."""
        actor = self._actor
        if actor is not None:
            try:
                self._append((actor, message))
                if self._scheduler._asleep:
                    self._scheduler._wake()
            except BaseException:  # an interrupt: wake the scheduler, as the entry may be enqueued already
                self._scheduler._wake()
                raise

    @overload
    def ask(self, message: object, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[Any]: ...

    @overload
    def ask(self, message: object, *, block: Literal[True], timeout: float | None = None) -> Any: ...

    @overload
    def ask(self, message: object, *, block: bool = True, timeout: float | None = None) -> Any: ...

    def ask(self, message: object, *, block: bool = True, timeout: float | None = None) -> Any:
        """As in Pykka. A dead actor answers ActorDeadError, also if it dies with the message unread.

        Raises:
            WouldDeadlock: block is True, and this is a scheduler's thread. Nothing has been sent then.
        """
        if block:
            check_may_block("ask()")
        return super().ask(message, block=block, timeout=timeout)

    @overload
    def stop(self, *, block: Literal[True], timeout: float | None = None) -> bool: ...

    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[bool]: ...

    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | pykka.Future[bool]: ...

    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | pykka.Future[bool]:
        """As in Pykka: asks it to end with reason Normal. The future is set when the request has been handled.

        Raises:
            WouldDeadlock: block is True, and this is a scheduler's thread. Nothing has been sent then.
        """
        if block:
            check_may_block("stop()")
        return super().stop(block=block, timeout=timeout)


class _LightLifecycle(Lifecycle):
    """Ends a light actor, and calls its watchers on its scheduler's thread."""

    __slots__ = ("_ref", "_scheduler")

    def __init__(self, ref: LightRef[Any]) -> None:
        super().__init__()
        self._ref: LightRef[Any] | None = ref  # which has this, so only as long as the actor lives
        self._scheduler = ref._scheduler

    def ask_shutdown(self, reason: ExitReason) -> None:
        if (ref := self._ref) is not None:
            ref.tell(AskShutdown(reason))

    def kill(self) -> None:
        ref = self._ref
        if ref is not None and (actor := ref._actor) is not None:
            actor.scheduler.post(actor.exit, Killed())

    def ended(self, reason: ExitReason) -> None:
        """Notify the monitors of the end, and drop the reference."""
        self._ref = None
        self.exit.set(reason)

    def deliver(self, watcher: Callable[[Down], object], down: Down) -> None:
        # Not called right here, which may be the middle of some handler's exit().
        scheduler = self._scheduler
        if scheduler.stopped:
            watcher(down)
        else:
            scheduler._put((scheduler._functions, GuaranteedCall(watcher, down)))


class LightInbox:
    """The inbox that Pykka's own code uses: it enqueues at the scheduler."""

    __slots__ = ("_actor", "_scheduler")

    def __init__(self, actor: LightTarget) -> None:
        self._actor: MailboxTarget = actor
        self._scheduler = actor.scheduler

    def put(self, envelope: Envelope[Any], /) -> None:
        self._scheduler._put((self._actor, envelope))

    def get(self) -> Envelope[Any]:
        raise NotImplementedError("a light actor's messages are taken by its scheduler")

    def empty(self) -> bool:
        return True


def refuse(message: object) -> None:
    """Answer an envelope that will not be handled, as Pykka does."""
    if type(message) is Envelope and message.reply_to is not None:
        if isinstance(message.message, messages._ActorStop):
            message.reply_to.set(None)
        else:
            error = pykka.ActorDeadError("the actor stopped before handling the message")
            message.reply_to.set_exception((pykka.ActorDeadError, error, None))


class _Dead(MailboxTarget):
    """Stands in an inbox for an actor that has ended, so that the inbox does not keep it in memory."""

    def _special(self, message: object) -> None:
        refuse(message)

    _refuse = _special


dead = _Dead()
