"""The Spawner: the one thread of a System that makes processes, and the only module that imports `subprocess`.

One thread, because PR_SET_PDEATHSIG follows the *thread* that made the child: a worker made by a short-lived thread
would be killed when that thread ends. And a thread of its own, because making a process takes milliseconds that the
scheduler does not have.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from slither_actors.pools import guardian
from supervisors import DaemonActor, ExitReason, Scheduler

F_SETPIPE_SZ = 1031  # Linux; fcntl.F_SETPIPE_SZ exists from 3.10 on Linux only
PIPE_BYTES = 1 << 20
"""Wanted room in a worker's pipes: several batches ahead fit, so that neither side waits for the other's thread.
The kernel lets an unprivileged user have 64 MiB in all; past it the pipe keeps its size."""


class WorkerProcess:
    """A process just made, with the host's ends of its pipes. All descriptors are non-blocking and close-on-exec."""

    __slots__ = ("_popen", "lifeline", "pid", "pidfd", "reply", "request", "stderr")

    def __init__(self, popen: subprocess.Popen[bytes], request: int, reply: int, stderr: int, lifeline: int) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.request = request
        self.reply = reply
        self.stderr = stderr
        self.lifeline = lifeline
        self.pidfd = _pidfd_open(popen.pid)

    def is_dead(self) -> bool:
        """Whether it has ended; where the system can tell without that, it is not reaped. For one without a pidfd."""
        if self._popen.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # somebody else has reaped it
            return True
        except AttributeError:  # macOS before CPython 3.13: only reaping tells
            if self._popen.poll() is None:
                return False
            # While anybody is left in the group nobody else gets its id.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            return True

    def reap(self) -> int | None:
        """The exit code as `subprocess` gives it (negative: the signal), or None while the process lives."""
        return self._popen.poll()

    def kill_group(self, sig: int = signal.SIGKILL) -> None:
        """Send `sig` to the worker's process group, unless it is reaped: until then a zombie leader keeps the id."""
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, sig)

    def descriptors(self) -> list[int]:
        """Every descriptor of the host's that belongs to this worker and is open."""
        return [fd for fd in (self.request, self.reply, self.stderr, self.lifeline, self.pidfd) if fd >= 0]

    def close(self) -> None:
        """Close what is open; may be repeated."""
        for name in ("request", "reply", "stderr", "lifeline", "pidfd"):
            fd = getattr(self, name)
            if fd >= 0:
                setattr(self, name, -1)
                os.close(fd)


@dataclass(frozen=True, slots=True)
class SpawnerStatistics:
    """What the Spawner holds, at one moment.

    Args:
        groups: worker processes that it has made and that are not reaped.
        guardian: the guardian's process id; None while there is none.
    """

    groups: int
    guardian: int | None


class Spawn:
    """To the Spawner: make a worker process.

    Args:
        argv: from the three descriptors (request, reply, lifeline) to the command line.
        env: variables over the host's environment.
        answer: called on the scheduler's thread with the WorkerProcess or the OSError.
    """

    __slots__ = ("answer", "argv", "env")

    def __init__(
        self,
        argv: Callable[[int, int, int], Sequence[str]],
        env: Mapping[str, str],
        answer: Callable[[WorkerProcess | Exception], None],
    ) -> None:
        self.argv = argv
        self.env = env
        self.answer = answer


class Reaped:
    """To the Spawner: the group of this worker is gone, the guardian may forget it."""

    __slots__ = ("pid",)

    def __init__(self, pid: int) -> None:
        self.pid = pid


class Spawner(DaemonActor):
    """Makes workers and keeps the guardian informed.

    Runs in: a thread of its own, alive as long as its System (see the module's docstring). Owns: the guardian's process
    and pipe. If it dies: the workers die with its thread (PDEATHSIG) and the System starts Spawner, pools and runs
    anew; the runs that were under way fail with PoolUnavailable.
    """

    def __init__(self, scheduler: Scheduler, note: Callable[[Spawner], None]) -> None:
        super().__init__()
        note(self)
        self._scheduler = scheduler
        self._guardian = GuardianLink()

    def on_receive(self, message: Any) -> None:
        """Serve `Spawn` and `Reaped`."""
        if isinstance(message, Spawn):
            try:
                answer: WorkerProcess | Exception = self._spawn(message)
            except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
                answer = error
            self._scheduler.post(message.answer, answer)
        elif isinstance(message, Reaped):
            self._guardian.forget(message.pid)

    def on_exit(self, reason: ExitReason) -> None:
        """Let the guardian go; what it still has on its list it kills."""
        self._guardian.close()

    def statistics(self) -> SpawnerStatistics:
        """What it holds now. From any thread."""
        return SpawnerStatistics(self._guardian.groups, self._guardian.pid)

    def descriptors(self) -> list[int]:
        """The guardian's pipe, for a forked child to close."""
        return self._guardian.descriptors()

    def _spawn(self, message: Spawn) -> WorkerProcess:
        self._guardian.start()
        with _Pipes() as pipes:
            request, reply, lifeline, stderr = (pipes.make() for _ in range(4))
            for fd in (request[1], reply[1]):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)
            popen = subprocess.Popen(
                message.argv(request[0], reply[1], lifeline[0]),
                stdin=subprocess.DEVNULL,
                stdout=stderr[1],
                stderr=stderr[1],
                pass_fds=(request[0], reply[1], lifeline[0]),
                env={**os.environ, **message.env},
                start_new_session=True,
            )
            self._guardian.watch(popen.pid)
            worker = WorkerProcess(
                popen, pipes.keep(request[1]), pipes.keep(reply[0]), pipes.keep(stderr[0]), pipes.keep(lifeline[1])
            )
        for fd in (worker.request, worker.reply, worker.stderr):
            os.set_blocking(fd, False)
        return worker


class GuardianLink:
    """The host's side of the guardian: starts it on first use, again if somebody killed it, and tells it the groups."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._groups: set[int] = set()

    @property
    def groups(self) -> int:
        """How many groups it knows."""
        return len(self._groups)

    @property
    def pid(self) -> int | None:
        """The guardian's process id, None while there is none."""
        popen = self._popen
        return popen.pid if popen is not None and popen.returncode is None else None

    def start(self) -> None:
        """Make sure that a guardian runs and knows every group. Raises OSError where no process can be made."""
        if self._popen is not None and self._popen.poll() is None:
            return
        self._close_pipe()
        with _Pipes() as pipes:
            ours = pipes.make()
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(guardian.__file__)), str(ours[0])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(ours[0],),
                start_new_session=True,
            )
            self._pipe = pipes.keep(ours[1])
        os.set_blocking(self._pipe, False)
        self._tell(b"".join(b"+%d\n" % group for group in self._groups))

    def watch(self, group: int) -> None:
        """Have the guardian kill this group should the host end."""
        self._groups.add(group)
        if not self._tell(b"+%d\n" % group):
            self._replace()

    def forget(self, group: int) -> None:
        """This group is reaped: its number may belong to somebody else by now."""
        self._groups.discard(group)
        if not self._tell(b"-%d\n" % group):
            self._replace()

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
        """The pipe to it, if there is one."""
        return [self._pipe] if self._pipe >= 0 else []

    def _tell(self, lines: bytes) -> bool:
        """Write to it. False: it is dead, or so long stopped that its pipe is full."""
        if lines and self._pipe >= 0:
            try:
                os.write(self._pipe, lines)
            except (BrokenPipeError, BlockingIOError):
                return False
        return True

    def _replace(self) -> None:
        """It is of no use any more. Without another one, till the next start, the workers have PDEATHSIG."""
        if self._popen is not None:
            self._popen.kill()
        self.close()
        with contextlib.suppress(OSError):
            self.start()

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
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
        ends = os.pipe()
        self._open.update(ends)
        return ends

    def keep(self, fd: int) -> int:
        self._open.discard(fd)
        return fd


def _pidfd_open(pid: int) -> int:
    """A descriptor that is readable once the process is dead, or -1 where the system has none (macOS, old kernels)."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
