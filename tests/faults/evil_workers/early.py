"""A stand-in that answers a large request when it has read no more than its header, with as much as it was sent."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import time

from impostor import REQUEST, decode, encode, frames, pack_frame, ready, say

from slither_actors.wire.frames import HEADER, HEADER_SIZE

LARGE = 1 << 21
F_GETPIPE_SZ = 1032


def read_exactly(size):
    parts = []
    while size:
        parts.append(os.read(REQUEST, min(size, 1 << 20)) or os._exit(0))
        size -= len(parts[-1])
    return b"".join(parts)


def wait_until_full():
    """The host is in the middle of writing, and the pipe takes no more."""
    room = fcntl.fcntl(REQUEST, F_GETPIPE_SZ) - 4096
    while struct.unpack("i", fcntl.ioctl(REQUEST, termios.FIONREAD, b"\0" * 4))[0] < room:
        time.sleep(0.001)


while True:
    _, _, kind, _, _, request_id, side, body, buffers, count, _, _ = HEADER.unpack(read_exactly(HEADER_SIZE))
    if kind == frames.CALL and body + buffers > LARGE:
        wait_until_full()
        say(pack_frame(frames.REPLY, request_id, encode([b"y" * (body + buffers)] * count), count=count))
        read_exactly(side + body + buffers)
        continue
    rest = read_exactly(side + body + buffers)
    if kind == frames.HELLO:
        ready()
    elif kind == frames.LOAD:
        say(pack_frame(frames.LOADED, request_id))
    elif kind == frames.CALL:
        results = [2 * payload for payload in decode(rest[side : side + body], rest[side + body :])]
        say(pack_frame(frames.REPLY, request_id, encode(results), count=count))
    elif kind == frames.STOP:
        break
