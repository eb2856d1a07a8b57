"""Replies only once the request pipe is full: its host is in the middle of writing, and wants to be read."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import time

F_GETPIPE_SZ = 1032


def request_pipe():
    """The pipe that can be read and that data comes from; the lifeline never has any."""
    found = []
    for fd in range(3, 64):
        try:
            if not os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                continue
            with open(f"/proc/self/fdinfo/{fd}") as info:
                flags = int(next(line for line in info if line.startswith("flags")).split()[1], 8)
        except OSError:
            continue
        if flags & os.O_ACCMODE == os.O_RDONLY:
            found.append(fd)
    return found


def waiting(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def full_both_ways(payloads):
    """A small payload is given back at once; a large one when the next request has filled the pipe and is not all in.

    A pair (payload, path): says in that file that the pipe was full.
    """
    payload, path = payloads[0]
    if path:
        while not any(waiting(fd) >= fcntl.fcntl(fd, F_GETPIPE_SZ) - 4096 for fd in request_pipe()):
            time.sleep(0.002)
        open(path, "w").close()
    return [payload]
