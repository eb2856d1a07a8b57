"""What a worker does to itself before anything else: its descriptors, its signals, and dying with its host."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import stat
import sys

from .stacks import tell_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

NO_MSGPACK: Final = 3
"""Exit code of a worker whose interpreter has no msgpack."""
ORPHANED: Final = 4
"""Exit code of a worker whose host was gone before it had started."""

WRAPPED: Final = 5
"""Exit code of a worker whose interpreter stands behind a program that does not hand over to it."""
TORN: Final = 121
"""Exit code of a worker whose own code has closed its pipes. No number that a program is likely to exit with."""

_PR_SET_PDEATHSIG: Final = 1
_HIGHEST: Final = 1024
_ROOM: Final = 32
_WRAPPER: Final = (
    "The interpreter seems to stand behind a wrapper. A wrapper that PoolSpec(python=...) names must hand over to the "
    'interpreter with its descriptors, as `exec python "$@"` does as the last line of a shell script; or give the '
    "path of the interpreter itself.\n"
)


def require_msgpack(fallback: str = "") -> None:
    """End the process, with a sentence on stderr, if the interpreter has no msgpack.

    Args:
        fallback: a directory that has it, tried last.
    """
    try:
        from slither_actors.wire import msgpack_settings
    except ImportError as error:
        reason = error
    else:
        return
    if fallback:
        sys.path.append(fallback)
        try:
            from slither_actors.wire import msgpack_settings  # noqa: F401
        except ImportError as error:
            reason = error
        else:
            return
        finally:
            sys.path.remove(fallback)
    version = ".".join(map(str, sys.version_info[:3]))
    sys.stderr.write(
        f"The interpreter {sys.executable} (Python {version}) cannot be a worker, as it has no msgpack ({reason}). "
        f"Install it there: {sys.executable} -m pip install msgpack\n"
    )
    sys.stderr.flush()
    os._exit(NO_MSGPACK)


def guard(request_fd: int, reply_fd: int, lifeline_fd: int, host_pid: int, *arenas: int) -> tuple[int, ...]:
    """Everything in this module that needs doing, in the order that it needs.

    Returns:
        the descriptors that are ours from now on, in the order of the arguments.
    """
    require_descriptors(request_fd, reply_fd, lifeline_fd)
    ours = take_descriptors(request_fd, reply_fd, lifeline_fd, *arenas)
    reset_signals()
    tell_stack(ours[2])
    die_with_host(ours[2], host_pid)
    return ours


def require_descriptors(*pipes: int) -> None:
    """End the process, with a sentence on stderr, if the host's pipes have not come through to it."""
    for fd in pipes:
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                continue
        except OSError:
            pass
        _refuse(f"This worker has not got descriptor {fd}, which its host has passed on. {_WRAPPER}")


def _refuse(text: str) -> NoReturn:
    try:
        os.write(2, text.encode())
    except OSError:  # it has no stderr either
        pass
    os._exit(WRAPPED)


def take_descriptors(*ours: int) -> tuple[int, ...]:
    """Make 0 read nothing, 1 the same as 2, and keep ``ours`` from programs that this process starts or forks.

    Returns:
        the numbers they have from now on.
    """
    global _stderr
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)
    os.dup2(2, 1)
    _stderr = os.fstat(2)
    moved = tuple(raised(fd) for fd in ours)
    # A print is to be seen when it happens, and not to be lost when the process dies of the next line.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True, errors="backslashreplace")
    return moved


def raised(fd: int) -> int:
    """Move a descriptor to a high number, or keep it where none is free; no program started here inherits it.

    A function may close all descriptors (``os.closerange(3, 256)``) and open files, which get the lowest numbers: a
    reply must not go there.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    base = _HIGHEST if soft == resource.RLIM_INFINITY else min(soft, _HIGHEST)
    try:
        new = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(base - _ROOM, base // 2))
    except OSError:
        os.set_inheritable(fd, False)
        return fd
    os.close(fd)
    return new


def torn() -> NoReturn:
    """End the process, whose descriptors its own code has closed or replaced; a reply would go anywhere."""
    try:
        if _stderr is not None and os.path.samestat(os.fstat(2), _stderr):
            os.write(2, _TORN_TEXT)
    except OSError:
        pass
    os._exit(TORN)


_TORN_TEXT: Final = (
    b"A function of this worker has closed descriptors that are not its own (os.closerange?), the worker's pipes among "
    b"them: the worker ends, as its replies would go astray. A function must close only what it has opened.\n"
)
_stderr: os.stat_result | None = None


def close_in_forks(*ours: int) -> None:
    """Close ``ours`` in a forked child: it must neither answer in our name nor keep the pipes open after us.

    And it heeds SIGINT, as any child of a Python program does: to whom it belongs decides who sends one.
    """

    def close() -> None:
        for fd in ours:
            try:
                os.close(fd)
            except OSError:
                pass
        if signal.getsignal(signal.SIGINT) is _ignore:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    os.register_at_fork(after_in_child=close)


def reset_signals() -> None:
    """Undo what was inherited from the host; ignore SIGINT, as the host decides what an interrupt means.

    What a host ignores (SIGHUP under nohup, SIGINT and SIGQUIT in the background of a shell) stays ignored across exec,
    and so for the programs that a function starts. SIGINT is caught and not ignored: what is caught is reset by exec.
    """
    signal.signal(signal.SIGINT, _ignore)
    signal.siginterrupt(signal.SIGINT, False)  # code in C that knows no EINTR goes on with what it waits for
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # Python itself ignores these two, and its subprocess module resets them.
    for number in signal.valid_signals() - {signal.SIGPIPE, getattr(signal, "SIGXFSZ", 0)}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    import faulthandler

    faulthandler.enable()


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the handler of a signal that a worker does not heed."""


def die_with_host(lifeline_fd: int, host_pid: int) -> None:
    """Have the process killed when its host ends, however that ends. Exits at once if the host is gone already."""
    asked = sys.platform == "linux" and _ask_kernel()
    parent = os.getppid()
    if parent != host_pid:
        if _ended(lifeline_fd):  # it has died before the kernel was asked
            os._exit(ORPHANED)
        _refuse(f"The parent of this worker is process {parent}{_name_of(parent)}, not its host. {_WRAPPER}")
    if not asked:
        import _thread

        _thread.start_new_thread(_watch, (lifeline_fd,))


def _ended(lifeline_fd: int) -> bool:
    poll = select.poll()
    poll.register(lifeline_fd, select.POLLIN)
    return bool(poll.poll(0))


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f" ({file.read().strip()})"
    except OSError:
        return ""


def _ask_kernel() -> bool:
    """PR_SET_PDEATHSIG: reaches a worker that hangs in C with the interpreter lock held, as no thread of its could."""
    try:
        import ctypes

        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def _watch(lifeline_fd: int) -> None:
    while True:
        try:
            if not os.read(lifeline_fd, 1):
                break
        except OSError:
            break
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
