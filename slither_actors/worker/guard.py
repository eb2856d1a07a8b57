"""What a worker does to itself before anything else: its descriptors, its signals, and dying with its host."""

from __future__ import annotations

import os
import signal
import sys

from .stacks import tell_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NO_MSGPACK: Final = 3
"""Exit code of a worker whose interpreter has no msgpack."""
ORPHANED: Final = 4
"""Exit code of a worker whose host was gone before it had started."""

_PR_SET_PDEATHSIG: Final = 1


def require_msgpack(fallback: str = "") -> None:
    """End the process, with a sentence on stderr, if the interpreter has no msgpack.

    :param fallback: a directory that has it, tried last.
    """
    try:
        from slither_actors.wire import pack
    except ImportError as error:
        reason = error
    else:
        return
    if fallback:
        sys.path.append(fallback)
        try:
            from slither_actors.wire import pack  # noqa: F401
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


def guard(request_fd: int, reply_fd: int, lifeline_fd: int, host_pid: int, *arenas: int) -> None:
    """Everything in this module that needs doing, in the order that it needs."""
    take_descriptors(request_fd, reply_fd, lifeline_fd, *arenas)
    reset_signals()
    tell_stack(lifeline_fd)
    die_with_host(lifeline_fd, host_pid)


def take_descriptors(*ours: int) -> None:
    """Make 0 read nothing, 1 the same as 2, and keep ``ours`` from programs that this process starts or forks."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)
    os.dup2(2, 1)
    for fd in ours:
        os.set_inheritable(fd, False)
    # A print is to be seen when it happens, and not to be lost when the process dies of the next line.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True, errors="backslashreplace")


def close_in_forks(*ours: int) -> None:
    """A forked child closes ``ours``: it must neither answer in our name nor keep the pipes open when we are gone."""

    def close() -> None:
        for fd in ours:
            try:
                os.close(fd)
            except OSError:
                pass

    os.register_at_fork(after_in_child=close)


def reset_signals() -> None:
    """Undo what was inherited from the host; ignore SIGINT (Ctrl-C goes to the whole group, and the host decides)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    import faulthandler

    faulthandler.enable()


def die_with_host(lifeline_fd: int, host_pid: int) -> None:
    """Have the process killed when its host ends, however that ends. Exits at once if the host is gone already."""
    asked = sys.platform == "linux" and _ask_kernel()
    if os.getppid() != host_pid:  # it may have died before the kernel was asked
        os._exit(ORPHANED)
    if not asked:
        import _thread

        _thread.start_new_thread(_watch, (lifeline_fd,))


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
