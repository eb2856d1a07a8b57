"""Actors with a thread of their own: DaemonActor, and plain Pykka actors made fit to be supervised."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from typing import Any, Literal, Self, TypeVar, overload

import pykka
from pykka import messages
from pykka._envelope import Envelope

from supervisors.exits import DEFERRED, IGNORE, Crashed, ExitReason, Killed, Normal
from supervisors.futures import GuardedFuture, check_may_block
from supervisors.life import Ignored, Life, Started
from supervisors.process import refuse
from supervisors.records import record_exit
from supervisors.scheduler import Scheduler

__all__ = ["DaemonActor", "DaemonRef", "abandoned_threads", "supervise_threading"]

P = TypeVar("P", bound=pykka.ThreadingActor)
D = TypeVar("D", bound="DaemonActor")

_logger = logging.getLogger("supervisors")

_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def abandoned_threads() -> list[threading.Thread]:
    """Threads of killed actors that are still inside their code. They are gone when that returns."""
    return [thread for thread in list(_abandoned) if thread.is_alive()]


class _Inbox:
    """An unbounded inbox that answers what comes after the end. Holds plain messages and Pykka's envelopes."""

    __slots__ = ("_queue", "closed", "empty", "get", "put_plain")

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.closed = False
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
        while True:
            try:
                message = self._queue.get_nowait()
            except queue.Empty:
                return
            refuse(message)


class _ThreadLife(Life):
    """How an actor with a thread is ended."""

    __slots__ = ("__weakref__", "_actor", "asked", "ended", "scheduler", "thread")

    def __init__(self, actor: _Reporting) -> None:
        super().__init__()
        self._actor: _Reporting | None = actor
        self.asked: ExitReason | None = None
        self.scheduler = Scheduler.current()
        self.thread: threading.Thread | None = None
        self.ended = threading.Event()

    def ask_shutdown(self, reason: ExitReason) -> None:
        actor = self._actor
        if actor is not None:
            self.asked = reason
            actor.actor_inbox.put(messages._ActorStop())  # type: ignore[arg-type]

    def kill(self) -> None:
        """Set the stop flag and abandon the thread: nobody can end one that is inside user code."""
        actor = self._actor
        if actor is None:
            return
        thread = self.thread
        if thread is not None and thread is not threading.current_thread():
            _abandoned.add(thread)
        actor.actor_stopped.set()
        actor._sup_unregister()
        actor._sup_inbox.put_plain(messages._ActorStop())  # wakes it, if it waits there
        self.finish(actor, Killed())

    def finish(self, actor: _Reporting, reason: ExitReason) -> bool:
        """Tell everybody. False if that has been done."""
        self._actor = None
        started = isinstance(self.start.value, Started)
        self.start.set(reason)
        if not self.exit.set(reason):
            return False
        record_exit(self.scheduler, type(actor).__name__, actor.actor_urn, reason, started=started)
        return True


class _Reporting(pykka.ThreadingActor):
    """The loop of an actor that reports its start and its end. Same hooks, same order as in Pykka's own.

    Differences: a BaseException is a crash of this actor alone, the thread is a daemon, and what is sent while it
    ends is answered.
    """

    use_daemon_thread = True
    # Names that no user's class has: this is mixed into them.
    _sup_inbox: _Inbox
    _sup_life: _ThreadLife
    _sup_requested: ExitReason | None = None
    _sup_stop_failure: BaseException | None = None
    _sup_registered = True

    @staticmethod
    def _create_actor_inbox() -> Any:
        return _Inbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return GuardedFuture()

    def _start_actor_loop(self) -> None:
        self._sup_inbox = self.actor_inbox  # type: ignore[assignment]
        self._sup_life = life = _ThreadLife(self)
        self._actor_ref._supervised_life = life  # type: ignore[attr-defined]
        try:
            super()._start_actor_loop()
        except RuntimeError as exc:  # the system has no thread left
            self._sup_finish(Crashed(exc))
            raise

    def _actor_loop(self) -> None:
        life = self._sup_life
        life.thread = threading.current_thread()
        reason = self._sup_guarded_start()
        if reason is None:
            reason = self._sup_guarded_run()
            if isinstance(reason, Crashed):
                self._sup_call_on_failure(reason.exception)
        self._sup_finish(reason)

    def _sup_guarded_start(self) -> ExitReason | None:
        try:
            answer: Any = self.on_start()  # type: ignore[func-returns-value]
        except BaseException as exc:
            self._sup_life.start.set(Crashed(exc))
            return Crashed(exc)
        if answer is IGNORE:
            self._sup_life.start.set(Ignored())
            return Normal()
        if answer is not DEFERRED:
            self._sup_life.start.set(Started())
        return None

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
        return self._sup_requested or self._sup_life.asked or Normal()

    def _sup_answer(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        assert reply_to is not None
        try:
            reply_to.set(self._handle_receive(envelope.message))
        except Exception:
            reply_to.set_exception()
        except BaseException:
            reply_to.set_exception()
            raise

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
        if isinstance(self._sup_life.exit.value, Killed):
            reason = Killed()
        try:
            self._sup_last_call(reason)
        except BaseException as exc:
            self._sup_log("on_exit", exc)
        self._sup_life.finish(self, reason)
        self._sup_life.ended.set()

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
        scheduler = self._sup_life.scheduler
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


class DaemonRef(pykka.ActorRef[D]):
    """Reference to a DaemonActor."""

    def __init__(self, actor: D) -> None:
        super().__init__(actor)
        inbox = actor.actor_inbox
        assert isinstance(inbox, _Inbox)
        self._inbox = inbox
        self._put = inbox.put_plain

    def tell(self, message: Any) -> None:
        """Send a message. From any thread; never blocks, never raises. To a dead actor it is dropped."""
        if not self._inbox.closed:
            self._put(message)

    @overload
    def ask(self, message: Any, *, block: Literal[False], timeout: float | None = None) -> pykka.Future[Any]: ...

    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...

    @overload
    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any: ...

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """As in Pykka. A dead actor answers ActorDeadError, also if it dies with the message unread.

        Raises:
            WouldDeadlock: block is True, and this is a scheduler's thread. Nothing has been sent then.
        """
        if block:
            check_may_block("ask()")
        return super().ask(message, block=block, timeout=timeout)


class DaemonActor(_Reporting):
    """An actor with a daemon thread of its own: for code that blocks, and for users' code.

    Runs in: its own thread, except `__init__`, which runs in the thread that calls `start`. If it dies, messages that
    wait for it are lost (an `ask` is answered with ActorDeadError); its monitors are told why. If it is killed while
    inside its code, it counts as dead at once and its thread as abandoned (`abandoned_threads`) until that returns.

    It stays out of `pykka.ActorRegistry`. `on_start` may answer IGNORE or DEFERRED as a light actor's does.
    """

    _sup_registered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._daemon_ref: DaemonRef[Any] = DaemonRef(self)
        self._actor_ref = self._daemon_ref

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> DaemonRef[Self]:
        """Make the actor and start its thread.

        Raises:
            RuntimeError: the system has no thread left.
        """
        actor = cls(*args, **kwargs)
        actor._start_actor_loop()
        return actor.actor_ref

    @property
    def actor_ref(self) -> DaemonRef[Self]:
        """The actor's reference."""
        return self._daemon_ref

    def on_start(self) -> Any:
        """Begin. May answer IGNORE or DEFERRED. If it raises, the start has failed."""
        return None

    def receive_timeout(self) -> float | None:
        """Seconds that the inbox is waited for before `on_timeout`; None: for ever. Asked before each wait."""
        return None

    def on_timeout(self) -> None:
        """The inbox was empty for `receive_timeout` seconds."""

    def on_exit(self, reason: ExitReason) -> None:
        """The last call, exactly once, in its own thread (in the starter's, if the thread could not be started)."""

    def started(self) -> None:
        """The deferred start is done."""
        self._sup_life.start.set(Started())

    def start_failed(self, exc: BaseException) -> None:
        """The deferred start has failed: it ends with Crashed(exc) after the message at hand."""
        self._sup_life.start.set(Crashed(exc))
        self.exit(Crashed(exc))

    def exit(self, reason: ExitReason) -> None:
        """End after the message at hand, without a look at those that wait. The first reason counts. Any thread."""
        if self._sup_requested is None:
            self._sup_requested = reason
        self.actor_stopped.set()
        self._sup_inbox.put_plain(None)  # wakes it, if it waits there

    @property
    def stopping(self) -> bool:
        """True once it is to end: long-running code looks at it now and then."""
        return self.actor_stopped.is_set()

    def _sup_wait_time(self) -> float | None:
        return self.receive_timeout()

    def _sup_nothing_came(self) -> None:
        self.on_timeout()

    def _sup_last_call(self, reason: ExitReason) -> None:
        self.on_exit(reason)


def supervise_threading(cls: type[P]) -> type[P]:
    """The class to start a plain Pykka actor from, so that it can be monitored and supervised.

    A generated subclass of the same name. Its thread is a daemon; its start, end and exit reason are reported; a
    BaseException ends this actor only. Stopped as in Pykka it ends with Normal, asked by a supervisor with Shutdown.
    It is registered in `pykka.ActorRegistry` like any other.

    Args:
        cls: a subclass of `pykka.ThreadingActor`. DaemonActors, and what this returned before, come back as they are.

    Raises:
        TypeError: it is something else.
    """
    given: Any = cls
    if not isinstance(given, type) or not issubclass(given, pykka.ThreadingActor):
        raise TypeError(f"supervise_threading takes a subclass of pykka.ThreadingActor, not {given!r}")
    if issubclass(cls, _Reporting):
        return cls
    # Kept on the class itself, so that both are garbage together.
    made: type[P] | None = cls.__dict__.get("_sup_class")
    if made is None:
        names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        made = type(cls.__name__, (_Reporting, cls), names)
        cls._sup_class = made  # type: ignore[attr-defined]
    return made
