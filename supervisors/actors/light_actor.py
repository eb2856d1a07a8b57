"""Light actors: Pykka actors that share a scheduler's thread, end with a reason, and can be monitored."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, Self

import pykka
from pykka import messages
from pykka._envelope import Envelope

from supervisors.actors.events import record_exit
from supervisors.actors.futures import GuardedFuture
from supervisors.actors.lifecycle import Down, DownNotice, Ignored, Monitor, Started, lifecycle_of, monitor
from supervisors.actors.light_ref import AskShutdown, LightInbox, LightRef, LightTarget, Start, dead, refuse
from supervisors.actors.reply import Reply, fail_all
from supervisors.errors import SchedulerStopped, SupervisorError
from supervisors.exits import DEFERRED, IGNORE, Crashed, ExitReason, Killed, Normal, Shutdown, check_reason
from supervisors.runtime.mailbox import special_types
from supervisors.runtime.scheduler import Scheduler, Timer

__all__ = ["Down", "LightActor", "LightRef", "Monitor", "lifecycle_of", "monitor"]


class LightActor(LightTarget):
    """An actor on a scheduler's thread, beside thousands of others: its code must never block.

    Runs in: the scheduler's thread, except `__init__`, which runs in the thread that calls `start`. Owns: its timers
    and descriptors, which are removed at its end. If it dies, messages that wait for it are lost (an `ask` is answered
    with ActorDeadError); its monitors get the reason.

    What a handler raises for an `ask` is the caller's alone, as in Pykka; with ``ask_failure_crashes = True`` in the
    class it crashes the actor as well, as in OTP. What it raises for a `tell` crashes the actor in any case.

    It stays out of `pykka.ActorRegistry`.
    """

    ask_failure_crashes: ClassVar[bool] = False

    @classmethod
    def start(cls, *args: Any, scheduler: Scheduler | None = None, **kwargs: Any) -> LightRef[Self]:
        """Make the actor here, and start it on the scheduler's thread. Never blocks.

        Args:
            *args: for `__init__`.
            scheduler: on which; by default the one whose thread this is.
            **kwargs: for `__init__`.

        Raises:
            SupervisorError: no scheduler is given, and this is no scheduler's thread.
            SchedulerStopped: it has been stopped.
        """
        chosen = scheduler if scheduler is not None else Scheduler.current()
        if chosen is None:
            raise SupervisorError(f"{cls.__name__}.start() needs scheduler=... outside of a scheduler's thread")
        if chosen.stopped:
            raise SchedulerStopped(f"scheduler {chosen.name!r} has been stopped")
        actor = cls.__new__(cls)
        actor.scheduler = chosen
        try:
            actor.__init__(*args, **kwargs)  # type: ignore[misc]
            if "_ref" not in actor.__dict__:
                raise SupervisorError(f"{cls.__name__}.__init__ must call super().__init__()")
        except BaseException as exc:
            actor._stillborn(exc)
            raise
        ref = actor.actor_ref
        actor._start_actor_loop()
        return ref

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        # Not Pykka's own, which would make a plain ActorRef; the fields are the same.
        if not hasattr(self, "scheduler"):
            raise SupervisorError(f"make a {type(self).__name__} with {type(self).__name__}.start()")
        self.actor_urn = uuid.uuid4().urn
        self.actor_stopped = threading.Event()
        self._inbox = self.actor_inbox = LightInbox(self)
        self.exit_reason: ExitReason | None = None
        self._alive = True
        self._timers = None
        self._descriptors = None
        # The future of the ask that is being handled, or the Reply that has taken it over; and the futures of those
        # that are still to come.
        self._question: pykka.Future[Any] | Reply[Any] | None = None
        self._pending_replies: set[pykka.Future[Any]] | None = None
        self._ref: LightRef[Any] = LightRef(self)
        self._actor_ref = self._ref

    @property
    def actor_ref(self) -> LightRef[Self]:
        """The actor's reference."""
        return self._ref

    # -- hooks ---------------------------------------------------------------------------------------------------

    def on_start(self) -> Any:
        """Begin. If it raises, the start has failed.

        Returns:
            IGNORE: there is nothing to run, the actor ends (reason Normal). DEFERRED: it counts as started when
            `started` is called later; it gets messages meanwhile. Anything else: it is started.
        """
        return None

    def on_shutdown(self, reason: ExitReason) -> None:
        """Asked to end, by its supervisor or by Pykka's `stop`. May end later, by calling `exit`."""
        self.exit(reason)

    def on_exit(self, reason: ExitReason) -> None:
        """Release what it owns: the last call, exactly once for every end, also after Killed or a failed start."""

    def statistics(self) -> object:
        """Return a frozen snapshot of what it holds, or None."""
        return None

    # -- for its own code ----------------------------------------------------------------------------------------

    def started(self) -> None:
        """Report that the deferred start is done. Without effect if that is known already."""
        self._ref._lifecycle.start.set(Started())

    def start_failed(self, exc: BaseException) -> None:
        """Report that the deferred start has failed: it ends with Crashed(exc). After `started`: a crash like any."""
        reason = Crashed(exc)
        self._ref._lifecycle.start.set(reason)
        self._end(reason)

    def mark_healthy(self) -> None:
        """Reset the back-off of its supervisor: after a later crash the waits start from the first one."""
        self._ref._lifecycle.healthy = True

    def reply_later(self) -> Reply[Any]:
        """Take over the answer to the `ask` that is being handled: the handler's result is not the answer then.

        Returns:
            The handle to answer with, from any thread and at any time. If the actor ends first, the caller gets
            ActorDeadError; if the actor drops the handle, SupervisorError. If the handler raises, that exception is
            the answer.

        Raises:
            SupervisorError: no `ask` is being handled, or its answer has been taken over already.
        """
        question = self._question
        if question is None or isinstance(question, Reply):
            raise SupervisorError("reply_later() is for the handling of an ask, once for each")
        if self._pending_replies is None:
            self._pending_replies = set()
        # Kept while the handler runs: what that raises is the answer, even if it has not kept the Reply.
        self._question = reply = Reply[Any](question, self._pending_replies, self.actor_stopped)
        if not self._alive:  # exit() was called before, and has answered all others
            fail_all(self._pending_replies)
        return reply

    def exit(self, reason: ExitReason) -> None:
        """End now. Scheduler thread only; again is without effect.

        Timers and descriptors are removed, then come Pykka's hooks (`on_stop`; `on_failure` for Crashed), `on_exit`,
        and the monitors' Down.

        Raises:
            TypeError: `reason` is no ExitReason.
        """
        check_reason(reason)
        self.scheduler._check_thread()
        self._end(reason)

    def stop(self) -> None:
        """As in Pykka: ask itself to end, after the messages that wait already."""
        self._ref.tell(messages._ActorStop())

    def call_later(self, delay: float, fn: Callable[..., object], *args: object) -> Timer:
        """`Scheduler.call_later`, owned by this actor."""
        return self.scheduler.call_later(delay, fn, *args, owner=self._owner())

    def add_reader(self, fd: int, fn: Callable[[], object]) -> None:
        """`Scheduler.add_reader`, owned by this actor."""
        self.scheduler.add_reader(fd, fn, owner=self._owner())

    def add_writer(self, fd: int, fn: Callable[[], object]) -> None:
        """`Scheduler.add_writer`, owned by this actor."""
        self.scheduler.add_writer(fd, fn, owner=self._owner())

    def remove_reader(self, fd: int) -> bool:
        """`Scheduler.remove_reader`."""
        return self.scheduler.remove_reader(fd)

    def remove_writer(self, fd: int) -> bool:
        """`Scheduler.remove_writer`."""
        return self.scheduler.remove_writer(fd)

    # -- for the scheduler ---------------------------------------------------------------------------------------

    def _owner(self) -> Self:
        if not self._alive:
            raise SupervisorError(f"{self} has ended and can own nothing more")
        return self

    def _special(self, message: object) -> None:
        if not self._alive:
            refuse(message)
            if isinstance(message, Start):  # it ended before it began, and was added to `_actors` after that
                self.scheduler._actors.pop(self, None)
        elif isinstance(message, Envelope):
            self._answer(message)
        elif isinstance(message, DownNotice):
            if not message.monitor.cancelled:
                message.monitor.cancelled = True
                self.on_receive(message.down)
        elif isinstance(message, AskShutdown):
            self.on_shutdown(message.reason)
        elif isinstance(message, Start):
            self._begin()
        else:
            self._handle_receive(message)

    def _refuse(self, message: object) -> None:
        refuse(message)

    def _answer(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        if reply_to is None:
            # From Pykka's own ActorRef.tell.
            message = envelope.message
            if type(message) in special_types:
                self._special(message)
            else:
                self.on_receive(message)
            return
        self._question = reply_to
        try:
            result = self._handle_receive(envelope.message)
        except BaseException as exc:
            with contextlib.suppress(queue.Full):  # answered already by a Reply that the handler has taken
                reply_to.set_exception()
            if self._pending_replies:
                self._pending_replies.discard(reply_to)
            if self.ask_failure_crashes or not isinstance(exc, Exception):
                raise
        else:
            if self._question is reply_to:
                reply_to.set(result)
        finally:
            self._question = None

    def _begin(self) -> None:
        try:
            answer = self.on_start()
        except BaseException as exc:
            if self._alive:
                self.start_failed(exc)
            else:
                self.scheduler.log_exception(f"on_start of {self}, after its end,", exc)
            return
        if answer is IGNORE:
            self._ref._lifecycle.start.set(Ignored())
            self._end(Normal())
        elif answer is not DEFERRED and self._alive:
            self.started()

    def _crashed(self, exception: BaseException) -> None:
        if self._alive:
            self._end(Crashed(exception))
        else:  # its handler went on after exit(), and raised
            self.scheduler.log_exception(f"{self}, after its end,", exception)

    def _stillborn(self, exception: BaseException) -> None:
        """Revoke what `__init__` registered before it raised: its reference, timers and descriptors."""
        ref: LightRef[Any] | None = self.__dict__.get("_ref")
        if ref is None:
            return
        self._alive = False
        self.exit_reason = reason = Crashed(exception)
        ref._actor = None
        self._inbox._actor = dead
        self.actor_stopped.set()
        if self.scheduler.on_thread():  # elsewhere it could have none of these
            self.scheduler._poller.remove_owner(self)
            for timer in self._timers or ():
                timer.cancel_owned()
            self._timers = None
        ref._lifecycle.start.set(reason)
        ref._lifecycle.ended(reason)

    def _dissolve(self) -> None:
        self._end(Shutdown())

    def _end(self, reason: ExitReason) -> None:
        if not self._alive:
            return
        scheduler = self.scheduler
        lifecycle = self._ref._lifecycle
        self._alive = False
        self.exit_reason = reason
        self._ref._actor = None
        self._inbox._actor = dead
        scheduler._actors.pop(self, None)
        scheduler._poller.remove_owner(self)
        for timer in self._timers or ():
            timer.cancel_owned()
        self._timers = None
        self.actor_stopped.set()
        started = isinstance(lifecycle.start.value, Started)
        if started:
            if isinstance(reason, Crashed):
                exc = reason.exception
                scheduler.run_guarded(None, self.on_failure, type(exc), exc, exc.__traceback__)
            elif not isinstance(reason, Killed):
                scheduler.run_guarded(None, self.on_stop)
        scheduler.run_guarded(None, self.on_exit, reason)
        if self._pending_replies:
            fail_all(self._pending_replies)
        record_exit(scheduler, type(self).__name__, self.actor_urn, reason, started=started)
        lifecycle.start.set(reason)
        lifecycle.ended(reason)

    # -- Pykka's hooks for an actor type -------------------------------------------------------------------------

    @staticmethod
    def _create_actor_inbox() -> Any:
        raise NotImplementedError("a light actor's inbox belongs to its scheduler")

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return GuardedFuture()

    def _start_actor_loop(self) -> None:
        scheduler = self.scheduler
        scheduler._actors[self] = None
        self._ref.tell(Start())
        if scheduler._closed and scheduler._actors.pop(self, self) is None:
            # Stopped meanwhile, and its last look did not find this actor.
            self._end(Shutdown())
            raise SchedulerStopped(f"scheduler {scheduler.name!r} has been stopped")

    def _stop(self) -> None:
        self.on_shutdown(Normal())
