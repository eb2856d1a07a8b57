"""The guardian: one small process a System that outlives the host by an instant, and kills what the host left.

It is run as a script (``python -I -S guardian.py FD [SIGN]``), imports nothing of ours and only the standard library.
FD is the read end of a pipe whose only writer is the host. The host writes ``+PGID`` for each worker group that it
starts, ``-PGID`` for each that it has reaped, and ``!PGID`` for one of them that is to be killed now, as the host may
not: it has given up rights that the guardian, started before that, still has. When the host ends, however it ends, the
kernel closes its end: the guardian reads EOF, sends SIGKILL to every group still on its list, and exits. A worker's own
children are in its group, so they go too; PR_SET_PDEATHSIG alone would leave them.

SIGN is the write end of a pipe to which it writes one byte when it has begun: so the host knows that what it has
started is a Python.
"""

import os
import signal
import sys


def watch(fd: int) -> set[int]:
    """Follow the host's list until it ends.

    Args:
        fd: the read end of the host's pipe.

    Returns:
        The process groups that were not reaped when the host ended.
    """
    groups: set[int] = set()
    rest = b""
    while data := os.read(fd, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line[:1] == b"+":
                groups.add(int(line[1:]))
            elif line[:1] == b"!":
                if int(line[1:]) in groups:
                    kill(int(line[1:]))
            else:
                groups.discard(int(line[1:]))
    return groups


def kill(group: int) -> None:
    """Send SIGKILL to a group; 0 and 1 would mean "my own group" and init: never, whatever was read."""
    if group > 1:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            pass


def begun(fd: int) -> None:
    """Write the sign that this runs; a host that ended meanwhile does not read it."""
    try:
        os.write(fd, b"+")
    except OSError:
        pass
    os.close(fd)


def main() -> None:
    """Ignore what the terminal sends, wait for the host's end, kill what is left."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE", "SIGTSTP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if len(sys.argv) > 2:
        begun(int(sys.argv[2]))
    for group in watch(int(sys.argv[1])):
        kill(group)


if __name__ == "__main__":
    main()
