"""The loop of an actor with a thread of its own that reports its start and its end."""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import pykka
from pykka import messages
from pykka._envelope import Envelope

from supervisors.actors.events import record_exit
from supervisors.actors.futures import GuardedFuture
from supervisors.actors.lifecycle import Ignored, Lifecycle, Started
from supervisors.actors.light_ref import refuse
from supervisors.actors.reply import Reply, fail_all
from supervisors.exits import DEFERRED, IGNORE, Crashed, ExitReason, Killed, Normal
from supervisors.runtime.interrupts import Event, Thread
from supervisors.runtime.scheduler import Scheduler

__all__ = ["Inbox", "ThreadLoop", "abandoned_threads"]

_logger = logging.getLogger("supervisors")

_numbers = itertools.count()

# Wakes a thread that waits for its inbox; never handled as a message.
_WAKE = object()

_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def abandoned_threads() -> list[threading.Thread]:
    """Threads of killed actors that are still inside their code. They are gone when that returns."""
    return [thread for thread in list(_abandoned) if thread.is_alive()]


class Inbox:
    """An unbounded inbox that answers messages sent after the end. Holds plain messages and Pykka's envelopes."""

    __slots__ = ("_queue", "at_hand", "closed", "empty", "get", "put_plain", "replies")

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.closed = False
        # The future of the question that is being handled, or the Reply that has taken it over.
        self.at_hand: pykka.Future[Any] | Reply[Any] | None = None
        # The futures of answers that a handler has left for later.
        self.replies: set[pykka.Future[Any]] = set()
        self.get = self._queue.get
        self.empty = self._queue.empty
        self.put_plain = self._queue.put

    def put(self, envelope: Any, /) -> None:
        self.put_plain(envelope)
        if self.closed:
            self.drain()

    def drain(self) -> None:
        """Answer all that waits with ActorDeadError.

        Called after `closed` is set, and by each sender that sees it set after its put: one of them finds the message.
        """
        wake = False
        while True:
            try:
                message = self._queue.get_nowait()
            except queue.Empty:
                break
            if message is _WAKE:
                wake = True
            else:
                refuse(message)
        if wake:  # it is for the actor's thread, which may still be waiting
            self.put_plain(_WAKE)

    def wake(self) -> None:
        """Wake the actor's thread, if it waits here."""
        self.put_plain(_WAKE)

    def abandon(self) -> None:
        """Answer all questions with ActorDeadError, also the one at hand: its handler may never return."""
        self.closed = True
        future = self.at_hand
        if future is not None and not isinstance(future, Reply):
            error = pykka.ActorDeadError("the actor was killed while it handled the message")
            settle(future.set_exception, (pykka.ActorDeadError, error, None))
        fail_all(self.replies)
        self.drain()

    def reply_later(self, actor_stopped: threading.Event) -> Reply[Any] | None:
        """Take over the answer to the question at hand; None if there is no such question. Actor's thread only."""
        future = self.at_hand
        if future is None or isinstance(future, Reply):
            return None
        # Added before the look at `closed`, which `abandon` sets before it looks at the replies. Kept while the handler
        # runs: what that raises is the answer, even if it has not kept the Reply.
        self.at_hand = reply = Reply[Any](future, self.replies, actor_stopped)
        if self.closed:
            fail_all(self.replies)
        return reply


def settle(setter: Callable[..., None], *value: object) -> None:
    """Set a future. Without effect if it is set: the killer of an actor and its own thread race to set it."""
    with contextlib.suppress(queue.Full):
        setter(*value)


class _ThreadLifecycle(Lifecycle):
    """Ends an actor with a thread."""

    __slots__ = ("__weakref__", "_actor", "asked", "claims", "ended", "scheduler", "thread")

    def __init__(self, actor: ThreadLoop) -> None:
        super().__init__()
        self._actor: ThreadLoop | None = actor
        self.asked: ExitReason | None = None
        self.scheduler = Scheduler.current()
        self.claims = Scheduler.working_for()  # an actor that an actor's thread starts works for the same scheduler
        self.thread: threading.Thread | None = None
        self.ended = Event()

    def ask_shutdown(self, reason: ExitReason) -> None:
        actor = self._actor
        if actor is not None:
            self.asked = reason
            actor.actor_inbox.put(messages._ActorStop())  # type: ignore[arg-type]

    def kill(self) -> None:
        """Set the stop flag and abandon the thread: a thread inside user code cannot be ended."""
        actor = self._actor
        if actor is None:
            return
        thread = self.thread
        if thread is not None and thread is not threading.current_thread():
            _abandoned.add(thread)
        actor.actor_stopped.set()
        actor._sup_unregister()
        # Its monitors first: they know of its end when its callers do.
        self.finish(actor, Killed())
        actor._sup_inbox.abandon()
        actor._sup_inbox.wake()

    def finish(self, actor: ThreadLoop, reason: ExitReason) -> bool:
        """Report the end. Return False if it has been reported already."""
        self._actor = None
        started = isinstance(self.start.value, Started)
        self.start.set(reason)
        if not self.exit.set(reason):
            return False
        record_exit(self.scheduler, type(actor).__name__, actor.actor_urn, reason, started=started)
        return True


class ThreadLoop(pykka.ThreadingActor):
    """The loop of an actor that reports its start and its end. Same hooks, same order as in Pykka's own.

    Differences: a BaseException is a crash of this actor alone, the thread is a daemon, and what is sent while it
    ends is answered.
    """

    use_daemon_thread = True
    ask_failure_crashes: ClassVar[bool] = False
    """Whether an exception that answers an `ask` crashes the actor as well, as in OTP; in Pykka it does not."""
    # Names that no user's class has: this is mixed into them.
    _sup_inbox: Inbox
    _sup_lifecycle: _ThreadLifecycle
    _sup_requested: ExitReason | None = None
    _sup_stop_failure: BaseException | None = None
    _sup_registered = True

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Inbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return GuardedFuture()

    def _start_actor_loop(self) -> None:
        self._sup_inbox = self.actor_inbox  # type: ignore[assignment]
        self._sup_lifecycle = lifecycle = _ThreadLifecycle(self)
        # Before it runs, and before others can kill the actor: they need to know the thread.
        lifecycle.thread = thread = Thread(self._actor_loop, f"{type(self).__name__}-{next(_numbers)}")
        self._actor_ref._lifecycle = lifecycle  # type: ignore[attr-defined]
        try:
            thread.start()
        except RuntimeError as exc:  # the system has no thread left
            lifecycle.thread = None
            self._sup_finish(Crashed(exc))
            raise

    def _actor_loop(self) -> None:
        lifecycle = self._sup_lifecycle
        if lifecycle.claims is not None:
            lifecycle.claims.claim_thread()
        reason = self._sup_guarded_start()
        if reason is None:
            reason = self._sup_guarded_run()
            if isinstance(reason, Crashed):
                self._sup_call_on_failure(reason.exception)
        self._sup_finish(reason)

    def _sup_guarded_start(self) -> ExitReason | None:
        if self._sup_lifecycle.exit.value is not None:  # killed before it began
            return Killed()
        try:
            answer = self._sup_on_start()
        except BaseException as exc:
            self._sup_lifecycle.start.set(Crashed(exc))
            return Crashed(exc)
        if answer is IGNORE:
            self._sup_lifecycle.start.set(Ignored())
            return Normal()
        if answer is not DEFERRED:
            self._sup_lifecycle.start.set(Started())
        return None

    def _sup_on_start(self) -> Any:
        return self.on_start()

    def _sup_guarded_run(self) -> ExitReason:
        stopped = self.actor_stopped.is_set
        get = self._sup_inbox.get
        try:
            while not stopped():
                timeout = self._sup_wait_time()
                try:
                    message = get() if timeout is None else get(timeout=max(0.0, timeout))
                except queue.Empty:
                    self._sup_nothing_came()
                    continue
                if stopped():
                    refuse(message)
                    break
                if message is _WAKE:
                    continue
                if type(message) is Envelope and message.reply_to is not None:
                    self._sup_answer(message)
                elif type(message) is Envelope:
                    self._handle_receive(message.message)
                else:
                    self._handle_receive(message)
                del message
        except BaseException as exc:
            self.actor_stopped.set()
            return Crashed(exc)
        if self._sup_stop_failure is not None:
            return Crashed(self._sup_stop_failure)
        return self._sup_requested or self._sup_lifecycle.asked or Normal()

    def _sup_answer(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        assert reply_to is not None
        inbox = self._sup_inbox
        inbox.at_hand = reply_to
        if inbox.closed:  # killed just now, and its killer may not have seen this one
            settle(refuse, envelope)
            return
        try:
            result = self._handle_receive(envelope.message)
        except BaseException as exc:
            settle(reply_to.set_exception)
            inbox.replies.discard(reply_to)
            if self.ask_failure_crashes or not isinstance(exc, Exception):
                raise
        else:
            if inbox.at_hand is reply_to:  # else the handler has taken over the answer
                settle(reply_to.set, result)
        finally:
            inbox.at_hand = None

    def _sup_call_on_failure(self, exc: BaseException) -> None:
        try:
            self.on_failure(type(exc), exc, exc.__traceback__)
        except BaseException as second:
            self._sup_log("on_failure", second)

    def _sup_finish(self, reason: ExitReason) -> None:
        self.actor_stopped.set()
        self._sup_unregister()
        self._sup_inbox.closed = True
        self._sup_inbox.drain()
        if isinstance(self._sup_lifecycle.exit.value, Killed):
            reason = Killed()
        try:
            self._sup_last_call(reason)
        except BaseException as exc:
            self._sup_log("on_exit", exc)
        fail_all(self._sup_inbox.replies)
        self._sup_lifecycle.finish(self, reason)
        self._sup_lifecycle.ended.set()

    def _stop(self) -> None:
        self.actor_stopped.set()
        try:
            self.on_stop()
        except BaseException as exc:
            self._sup_stop_failure = exc

    def _sup_unregister(self) -> None:
        if self._sup_registered:
            pykka.ActorRegistry.unregister(self.actor_ref)

    def _sup_log(self, where: str, exc: BaseException) -> None:
        scheduler = self._sup_lifecycle.scheduler
        if scheduler is not None:
            scheduler.log_exception(f"{where} of {self}", exc)
        else:
            _logger.error("%s of %s raised", where, self, exc_info=exc)

    def _sup_wait_time(self) -> float | None:
        return None

    def _sup_nothing_came(self) -> None:
        return

    def _sup_last_call(self, reason: ExitReason) -> None:
        return
