"""The Spawner: the one thread of a System that makes processes, and the only module that imports `subprocess`.

One thread, because PR_SET_PDEATHSIG follows the *thread* that made the child: a worker made by a short-lived thread
would be killed when that thread ends. And a thread of its own, because making a process takes milliseconds that the
scheduler does not have.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import select
import signal
import subprocess
import threading
from _socket import AF_UNIX, SOCK_STREAM, socketpair  # `socket` itself takes 9 ms to import, and wraps these three
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Self, TypeAlias, assert_never

from msgspec import Struct
from pykka import ActorDeadError

from slither_actors.pools.processes import cursor_page, environment, guardian, interpreter
from slither_actors.pools.processes.processors import processors
from slither_actors.pools.processes.table import Processes, WorkerProcess
from slither_actors.pools.shared_memory import REPLIES, RequestArena, memory_file
from slither_actors.wire.ends import is_end
from slither_actors.worker.cursor import SIZE as CURSOR
from supervisors import DaemonActor, ExitReason, Scheduler
from supervisors.runtime.descriptors import above_standard, close, raised
from supervisors.runtime.interrupts import block_sigpipe

F_SETPIPE_SZ = 1031  # Linux; fcntl.F_SETPIPE_SZ exists from 3.10 on Linux only
PIPE_BYTES = 1 << 20
"""Wanted room in a worker's pipes: several batches ahead fit, so that neither side waits for the other's thread.
The kernel lets an unprivileged user have 64 MiB in all; past it the pipe keeps its size."""

FORK_PATIENCE = 5.0
"""Seconds that a fork of the host waits for a process that is just being made: milliseconds, as a rule."""

SIGN_PATIENCE = 1.0
"""Seconds that a guardian on a program which may be no Python gets for its sign: some 20 ms, as a rule."""

# Held while a process is made, and by a fork of the host. A child that was forked in the middle of that would keep
# pipes open that are not registered yet; one of them is `subprocess`'s own, which it reads until its last writing end
# is closed: the Spawner would wait for as long as that child lives.
_making = threading.RLock()


def _before_fork() -> None:
    _making.acquire(timeout=FORK_PATIENCE)


def _after_fork() -> None:
    with contextlib.suppress(RuntimeError):  # the wait was over before it was free
        _making.release()


def _after_fork_in_child() -> None:
    global _making
    _making = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def _script(module: ModuleType) -> list[str]:
    """Return the arguments with which an interpreter runs a module of ours as a script; none if that is impossible."""
    path = os.path.abspath(str(module.__file__))
    if os.path.isfile(path):
        return [path]
    # In a zip (zipapp, an egg) there is no such file. Its source is short enough for a command line.
    source = getattr(module.__loader__, "get_source", lambda name: None)(module.__name__)
    return [] if source is None else ["-c", source]


logger = logging.getLogger("slither_actors.guardian")

_GUARDIAN_DIED = (
    "the guardian (pid %d), which kills the workers' children should this process be killed, has ended with code %s; "
    "it is started again"
)

# Looked for when this is imported: `python app.pyz` has a relative path, which counts from where it was started.
_GUARDIAN = _script(guardian)


class SpawnerStatistics(Struct, frozen=True):
    """What the Spawner holds, at one moment.

    Args:
        groups: worker processes that it has made and that are not reaped.
        guardian: the guardian's process id; None while there is none.
    """

    groups: int
    guardian: int | None


class Spawn(Struct, frozen=True):
    """To the Spawner: make a worker process.

    Args:
        argv: from the descriptors (request, reply, lifeline, and those of the shared memory or that of the cursor, if
            there are any) to the command line.
        env: variables over the host's environment.
        answer: called on the scheduler's thread with the WorkerProcess or the error.
        arena: of the pool; None where no memory is shared.
        python: the worker's interpreter, which the guardian runs on where this process's own is of no use.
        size: workers of the pool.
    """

    argv: Callable[..., Sequence[str]]
    env: Mapping[str, str]
    answer: Callable[[WorkerProcess | Exception], None]
    arena: RequestArena | None = None
    python: str = ""
    size: int = 1


class Reaped(Struct, frozen=True):
    """To the Spawner: the group of this worker is gone, the guardian may forget it."""

    pid: int


class Kill(Struct, frozen=True):
    """To the Spawner: this process may not kill that group; the guardian, with the rights of its start, may."""

    group: int


SpawnerMessage: TypeAlias = Spawn | Reaped | Kill


class Spawner(DaemonActor):
    """Makes workers and keeps the guardian informed.

    Runs in: a thread of its own, alive as long as its System (see the module's docstring). Owns: the guardian's process
    and pipe. If it dies: the workers die with its thread (PDEATHSIG) and the System starts Spawner, pools and runs
    again; the runs that were under way fail with PoolUnavailable.
    """

    def __init__(self, scheduler: Scheduler, note: Callable[[Spawner], None], processes: Processes) -> None:
        super().__init__()
        note(self)
        self._scheduler = scheduler
        self._processes = processes
        self._guardian = GuardianLink(scheduler.background.submit)
        processes.killer = self._have_killed

    def _have_killed(self, group: int) -> None:
        with contextlib.suppress(ActorDeadError):  # its end is near, and with it the guardian's, who kills what is left
            self.actor_ref.tell(Kill(group))

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Write to the guardian's pipe, broken or not, without a SIGPIPE."""
        block_sigpipe()
        return None

    def on_receive(self, message: SpawnerMessage) -> None:
        """Serve one message. No error of it may end the thread, and with it all workers of the System."""
        if isinstance(message, Spawn):
            try:
                with _making:
                    answer: WorkerProcess | Exception = self._spawn(message)
            except Exception as error:  # of whatever kind: it is this start that has failed
                answer = error
            except BaseException as error:  # a callback's SystemExit, say
                answer = RuntimeError(f"starting a worker raised {type(error).__name__}")
                answer.__cause__ = error
            self._scheduler.post(message.answer, answer)
        elif isinstance(message, Reaped):
            self._tell_guardian(self._guardian.forget, message.pid)
        elif isinstance(message, Kill):
            self._tell_guardian(self._guardian.kill, message.group)
        else:
            assert_never(message)

    def _tell_guardian(self, what: Callable[[int], object], group: int) -> None:
        try:
            what(group)
        except BaseException as error:  # a guardian less is no reason to lose the workers
            self._scheduler.log_exception("the link to the guardian", error)

    def on_exit(self, reason: ExitReason) -> None:
        """Let the guardian go; what it still has on its list it kills."""
        try:
            for group in self._guardian.groups - self._processes.groups:
                self._guardian.forget(group)
        finally:
            self._guardian.close()

    def statistics(self) -> SpawnerStatistics:
        """Return what it holds now. From any thread."""
        return SpawnerStatistics(len(self._guardian.groups), self._guardian.pid)

    def descriptors(self) -> list[int]:
        """Return the guardian's pipe, for a forked child to close."""
        return self._guardian.descriptors()

    def _spawn(self, message: Spawn) -> WorkerProcess:
        self._guardian.start(message.python)
        host = environment.of_host()
        with _Pipes() as pipes:
            request, reply, stderr = (pipes.make() for _ in range(3))
            lifeline = pipes.make_pair()
            for fd in (request[1], reply[1]):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)
            theirs = [request[0], reply[1], lifeline[0]]
            replies = place = -1
            if message.arena is not None and (requests := message.arena.for_workers()) >= 0:
                pipes.own(requests)
                replies = pipes.own(memory_file(REPLIES + CURSOR))
                if replies < 0:
                    raise OSError(errno.EMFILE, "no memory to share with a worker")
                theirs += (requests, replies)
            elif (place := pipes.own(cursor_page.make())) >= 0:
                theirs.append(place)
            popen = subprocess.Popen(
                message.argv(*theirs),
                stdin=subprocess.DEVNULL,
                stdout=stderr[1],
                stderr=stderr[1],
                pass_fds=theirs,
                env=environment.of_worker(host, message.env, message.size, processors()),
                start_new_session=True,
            )
            low = {
                "request": request[1],
                "reply": reply[0],
                "stderr": stderr[0],
                "lifeline": lifeline[1],
                "replies": replies,
                "place": place,
            }
            ours = {name: pipes.raised(fd) for name, fd in low.items()}
            try:
                worker = self._made(popen, ours)
            except BaseException:  # else the process would leak, unknown to the table
                with contextlib.suppress(OSError):
                    os.killpg(popen.pid, signal.SIGKILL)
                popen.wait()
                raise
            for fd in ours.values():
                pipes.keep(fd)
        return worker

    def _made(self, popen: subprocess.Popen[bytes], ours: Mapping[str, int]) -> WorkerProcess:
        """Enter a process that has been made; `ours` has our descriptors as `WorkerProcess` names them."""
        for name in ("request", "reply", "stderr", "lifeline"):
            os.set_blocking(ours[name], False)
        self._guardian.watch(popen.pid)
        worker: WorkerProcess | None = None
        try:
            worker = WorkerProcess(popen, **ours, closed=self._processes.discard)
            self._processes.add(worker)
        except BaseException:
            if worker is not None:
                self._processes.discard(worker)
                if worker.pidfd >= 0:
                    os.close(worker.pidfd)
            self._guardian.forget(popen.pid)
            raise
        return worker


class GuardianLink:
    """The host's side of the guardian: starts it on first use, again if it was killed, and sends it the groups.

    Args:
        note: calls what it is given, on a thread where log records may take their time.
    """

    def __init__(self, note: Callable[..., object] = lambda call, *args: call(*args)) -> None:
        self._note = note
        self._popen: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._groups: set[int] = set()
        self._python = ""
        self._own_runs: bool | None = None
        """Whether `sys.executable` runs a guardian, as far as that is known."""

    @property
    def groups(self) -> set[int]:
        """The groups that it knows."""
        return set(self._groups)

    @property
    def pid(self) -> int | None:
        """The guardian's process id, None while there is none."""
        popen = self._popen
        return popen.pid if popen is not None and popen.returncode is None else None

    def start(self, python: str = "") -> None:
        """Make sure that a guardian runs and knows every group.

        Args:
            python: what it runs on where this process's own interpreter is of no use: there is none, or
                `sys.executable` is a program that is no Python.

        Raises:
            OSError: no process can be made.
        """
        if self._popen is not None:
            if self._popen.poll() is None:
                return
            self._note(logger.warning, _GUARDIAN_DIED, self._popen.pid, self._popen.returncode)
        own = interpreter.own()
        if python and python != own:
            self._python = python
        if not _GUARDIAN:
            where = str(guardian.__file__)
            raise FileNotFoundError(errno.ENOENT, "slither_actors is packed without the source of its guardian", where)
        self._close_pipe()
        if own is None or self._own_runs is False:
            self._start_on(self._python)
        elif self._own_runs or not self._python:
            self._start_on(own)
        elif not self._try(own):
            self._start_on(self._python)
        self._tell(b"".join(b"+%d\n" % group for group in self._groups))

    def _start_on(self, program: str, sign: int | None = None) -> None:
        """Start it on a program that is a Python. `sign`: where it says that it has begun."""
        with _Pipes() as pipes:
            ours = pipes.make()
            theirs = [ours[0]] if sign is None else [ours[0], sign]
            self._popen = subprocess.Popen(
                [program, "-I", "-S", *_GUARDIAN, *map(str, theirs)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=theirs,
                env=environment.of_guardian(environment.of_host()),
                start_new_session=True,
            )
            self._pipe = pipes.keep(ours[1])
        os.set_blocking(self._pipe, False)

    def _try(self, program: str) -> bool:
        """Start it on a program that may be no Python, and return whether it runs; if not, nothing of it is left."""
        with _Pipes() as pipes:
            sign = pipes.make()
            try:
                self._start_on(program, sign[1])
            except OSError:  # no format that the kernel executes, say; if there is no process to be had, so it is next
                return False
            pipes.close(sign[1])
            poll = select.poll()
            poll.register(sign[0], select.POLLIN)
            if poll.poll(SIGN_PATIENCE * 1000) and os.read(sign[0], 1):
                self._own_runs = True
                return True
        popen = self._popen
        assert popen is not None
        if popen.poll() is None:
            popen.kill()
        self._own_runs = False if popen.wait() >= 0 else None  # killed, it has had no time to show what it is
        self._popen = None
        self._close_pipe()
        return False

    def watch(self, group: int) -> None:
        """Have the guardian kill this group should the host end."""
        self._groups.add(group)
        if not self._tell(b"+%d\n" % group):
            self._replace()

    def forget(self, group: int) -> None:
        """Forget a group that is reaped: its number may belong to another process by now."""
        self._groups.discard(group)
        if not self._tell(b"-%d\n" % group):
            self._replace()

    def kill(self, group: int) -> None:
        """Have the guardian kill this group now, if it is one that it watches."""
        self._tell(b"!%d\n" % group)

    def close(self) -> None:
        """End the guardian and reap it."""
        self._close_pipe()
        if self._popen is not None:
            # It exits on EOF within a moment; should it hang, killing it loses nothing: we know what we have reaped.
            try:
                self._popen.wait(2.0)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
            self._popen = None

    def descriptors(self) -> list[int]:
        """Return the pipe to it, if there is one."""
        return [self._pipe] if self._pipe >= 0 else []

    def _tell(self, lines: bytes) -> bool:
        """Write to it. False: it is dead, or so long stopped that its pipe is full."""
        if lines and self._pipe >= 0:
            try:
                os.write(self._pipe, lines)
            except OSError as error:
                if not (is_end(error) or error.errno in (errno.EAGAIN, errno.EBADF)):
                    raise
                return False
        return True

    def _replace(self) -> None:
        """Replace the guardian. Without another one, till the next start, the workers have PDEATHSIG."""
        if self._popen is not None:
            self._popen.kill()
        self.close()
        with contextlib.suppress(OSError):
            self.start()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            close(self._pipe)
            self._pipe = -1


class _Pipes:
    """Pipes that are closed on the way out, but for the ends that were kept: a failed start leaves nothing open."""

    def __enter__(self) -> Self:
        self._open: set[int] = set()
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._open:
            os.close(fd)

    def make(self) -> tuple[int, int]:
        """Return the reading and the writing end of a pipe."""
        return self._both(*os.pipe())

    def make_pair(self) -> tuple[int, int]:
        """Return two connected sockets: a pipe for both directions."""
        one, other = socketpair(AF_UNIX, SOCK_STREAM)
        return self._both(one.detach(), other.detach())

    def own(self, fd: int) -> int:
        """Return another descriptor that is to be closed on the way out."""
        if fd >= 0:
            fd = above_standard(fd)
            self._open.add(fd)
        return fd

    def _both(self, one: int, other: int) -> tuple[int, int]:
        self._open.add(other)  # should there be no descriptor to move the first one to
        one = self.own(one)
        self._open.discard(other)
        return one, self.own(other)

    def close(self, fd: int) -> None:
        self._open.discard(fd)
        os.close(fd)

    def raised(self, fd: int) -> int:
        """Return the number that it has from now on; it is still closed on the way out."""
        high = raised(fd)
        if high != fd:
            self._open.discard(fd)
            self._open.add(high)
        return high

    def keep(self, fd: int) -> int:
        self._open.discard(fd)
        return raised(fd)
