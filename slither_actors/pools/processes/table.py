"""The worker processes of a System that are not reaped yet, and the host's descriptors for each."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisors.runtime.descriptors import close, raised

if TYPE_CHECKING:
    import subprocess

_PR_GET_CHILD_SUBREAPER = 37  # linux/prctl.h
_PF_EXITING = 0x4  # linux/sched.h; shown in the field `flags` of /proc/PID/stat

END = 2.0
"""Seconds that killed processes get to be reaped at the very end. One needs milliseconds, unless the kernel itself is
busy with it."""


class WorkerProcess:
    """A process just made, with the host's ends of its pipes. All descriptors are non-blocking and close-on-exec.

    Args:
        popen: the process.
        request, reply, stderr, lifeline: the host's ends of the pipes.
        replies: the memory that it writes large replies to; -1 where there is none.
        place: the file for its cursor where there is none of replies, which else has it; -1 where there is none either.
        closed: called once the process is no longer needed.
    """

    __slots__ = (
        "_closed",
        "_popen",
        "exited",
        "lifeline",
        "orphans",
        "pid",
        "pidfd",
        "place",
        "refused",
        "replies",
        "reply",
        "request",
        "stderr",
    )

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        *,
        request: int,
        reply: int,
        stderr: int,
        lifeline: int,
        replies: int = -1,
        place: int = -1,
        closed: Callable[[WorkerProcess], object],
    ) -> None:
        self._popen = popen
        self._closed = closed
        self.exited: Callable[[int], object] = lambda code: None
        """Called with the exit code by the thread that reaps it."""
        self.refused: Callable[[int], object] = lambda group: None
        """Called with the group that this process may not kill."""
        self.orphans: set[int] = set()
        """The System's: groups whose leader is reaped, and whose other members may be ours to reap."""
        self.pid = popen.pid
        self.request = request
        self.reply = reply
        self.stderr = stderr
        self.lifeline = lifeline
        self.replies = replies
        self.place = place
        self.pidfd = raised(_pidfd_open(popen.pid))

    @property
    def cursor(self) -> int:
        """The file at whose end it says at which item it is; -1: there is none."""
        return self.replies if self.replies >= 0 else self.place

    def is_dead(self) -> bool:
        """Whether it has ended; where the system can tell without that, it is not reaped. For one without a pidfd."""
        if self._popen.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # other code has reaped it
            return True
        except AttributeError:  # macOS before CPython 3.13: only reaping shows it
            if self._popen.poll() is None:
                return False
            # While a process is left in the group no other group gets its id.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            return True

    def is_ending(self) -> bool:
        """Whether the kernel is in the middle of ending it: its pipes are closed by then, and its death is to follow.

        Also where it cannot be looked at now, for want of a descriptor; False where the system does not tell.
        """
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                state, *_, flags = file.read().rpartition(b")")[2].split()[:7]
        except OSError as error:
            return error.errno in (errno.EMFILE, errno.ENFILE)
        return state in (b"Z", b"X") or bool(int(flags) & _PF_EXITING)

    def reap(self) -> int | None:
        """Reap it. Returns the exit code as `subprocess` gives it (negative: the signal), or None while it lives."""
        return self._popen.poll()

    def kill_group(self, sig: int = signal.SIGKILL) -> bool:
        """Send `sig` to the worker's process group, unless it is reaped: until then a zombie leader keeps the id.

        Returns:
            False if this process may not, as it has given up rights since it started the worker. Then the
            guardian is asked to kill the group, if that was meant.
        """
        if self._popen.returncode is None:
            try:
                os.killpg(self.pid, sig)
            except ProcessLookupError:
                pass
            except PermissionError:
                if sig == signal.SIGKILL:
                    self.refused(self.pid)
                return False
        return True

    def send_signal(self, sig: int) -> bool:
        """Send `sig` to the worker alone, if it has a handler for it: it might die of the signal otherwise.

        Returns:
            False if the signal was not sent.
        """
        if self._popen.returncode is not None or not _catches(self.pid, sig):
            return False
        try:
            os.kill(self.pid, sig)
        except OSError:  # a host that has dropped its rights may not
            return False
        return True

    def descriptors(self) -> list[int]:
        """Every descriptor of the host's that belongs to this worker and is open."""
        every = (self.request, self.reply, self.stderr, self.lifeline, self.pidfd, self.replies, self.place)
        return [fd for fd in every if fd >= 0]

    def close(self) -> None:
        """Close what is open; may be repeated."""
        for name in ("request", "reply", "stderr", "lifeline", "pidfd", "replies", "place"):
            fd = getattr(self, name)
            if fd >= 0:
                setattr(self, name, -1)
                close(fd)
        self._closed(self)

    def cut(self) -> None:
        """Close the ends of its pipes, so that it ends by itself if it can; its death is still watched."""
        for name in ("request", "reply", "stderr", "lifeline"):
            fd = getattr(self, name)
            if fd >= 0:
                setattr(self, name, -1)
                close(fd)


class Processes:
    """Every worker process of one System, from its making until it is closed.

    It is what a forked child closes, and what is left to kill and to reap when the scheduler ends before its actors
    were done: no actor would be notified of these deaths any more.

    Added to by the Spawner's thread, taken from by the scheduler's.
    """

    def __init__(self) -> None:
        self._workers: set[WorkerProcess] = set()
        self._over = False
        self.all_ended = True
        """False once `end` had to leave one behind that lives."""
        self.killer: Callable[[int], object] = lambda group: None
        """Kills a group that this process may not kill; from any thread."""
        self.orphans: set[int] = set()
        """Groups whose leader is reaped and of which something is left that is for this process to reap."""

    def add(self, worker: WorkerProcess) -> None:
        """Add a process that has been made. After `end` it ends at once."""
        worker.refused = self._refused
        worker.orphans = self.orphans
        self._workers.add(worker)
        if self._over:  # looked at after the add, and set before the look at what is there: one of the two sees it
            self.end()

    def _refused(self, group: int) -> None:
        self.killer(group)  # looked up now: a Spawner that was restarted has set another one

    def discard(self, worker: WorkerProcess) -> None:
        """Remove a process that is closed."""
        self._workers.discard(worker)

    @property
    def groups(self) -> set[int]:
        """The process groups of those that are not closed."""
        return {worker.pid for worker in list(self._workers)}

    def descriptors(self) -> list[int]:
        """Every descriptor of the host's that belongs to one of them and is open."""
        return [fd for worker in list(self._workers) for fd in worker.descriptors()]

    def kill(self) -> None:
        """SIGKILL to the groups of all. From any thread."""
        for worker in list(self._workers):
            worker.kill_group()

    def end(self, seconds: float = END) -> bool:
        """Kill, reap and close all that there are, now that no scheduler does it any more; and whatever comes later.

        Args:
            seconds: to wait for their ends.

        Returns:
            False if one of them is killed and not dead.
        """
        self._over = True
        self.kill()
        deadline = time.monotonic() + seconds
        done = True
        while True:
            try:
                worker = self._workers.pop()  # atomic: what another thread has taken is that one's
            except KeyError:
                break
            worker.kill_group()  # it may have been added since all were
            while (code := worker.reap()) is None and time.monotonic() < deadline:
                time.sleep(0.001)
            if code is None:
                done = self.all_ended = False
            else:
                worker.exited(code)
                self.orphans.add(worker.pid)
            worker.close()
        while self.orphans:
            group = self.orphans.pop()
            while not reap_orphans(group) and time.monotonic() < deadline:
                time.sleep(0.001)
        return done


def reap_orphans(group: int) -> bool:
    """Reap what is dead of a group whose leader is reaped. Only members that this process has adopted are its to reap.

    That is the case where it is the first process of a container, or a subreaper: children of a worker that died are
    then its own, and nothing else ever reaps them.

    Args:
        group: of a worker that was killed as a whole.

    Returns:
        False if some member is not dead yet.
    """
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def reap_strays(leader: int) -> None:
    """Reap what is dead of the group of a worker that lives and was adopted by this process; never the worker itself.

    Args:
        leader: the worker.
    """
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_PGID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and dead.si_pid != leader:
            os.waitpid(dead.si_pid, os.WNOHANG)


def adopts() -> bool:
    """Whether orphans among this process's descendants become its children."""
    if os.getpid() == 1:
        return True
    try:
        found = ctypes.c_int(0)
        asked = ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    except (OSError, AttributeError):  # not Linux
        return False
    return asked == 0 and bool(found.value)


def _catches(pid: int, sig: int) -> bool:
    """Return whether a process has a handler for a signal; elsewhere than on Linux, whether it would survive it."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            caught = file.read().partition(b"SigCgt:")[2].split(None, 1)[0]
        return bool(int(caught, 16) >> (sig - 1) & 1)
    except (OSError, IndexError, ValueError):
        return sig == getattr(signal, "SIGINFO", None)


def _pidfd_open(pid: int) -> int:
    """Open a descriptor that is readable once the process is dead; -1 where there is none (macOS, old kernels)."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
