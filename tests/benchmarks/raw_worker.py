"""The raw loop's worker: `python -m ....raw_worker REQUESTS REPLIES MODULE FUNCTION`. Reads, calls, writes; no more."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from .raw_pipe import JOINED, Frames, framed, packer, unpack

REPLIES_A_WRITE = 4
"""Half of what the host sends ahead: it works on these while the worker does on the others."""


def serve(requests: int, replies: int, module: str, function: str) -> None:
    """Serve until the pipe ends."""
    call = getattr(import_module(module), function)
    frames, pack = Frames(requests), packer()
    done: list[bytes] = []

    def answer(body: memoryview) -> None:
        done.append(pack(call(unpack(body))))
        if len(done) >= REPLIES_A_WRITE or len(done[-1]) > JOINED:
            write()

    def write() -> None:
        parts = [memoryview(part) for part in framed(done)]
        done.clear()
        while parts:
            written = os.writev(replies, parts)
            while parts and written >= len(parts[0]):
                written -= len(parts.pop(0))
            if written:
                parts[0] = parts[0][written:]

    while frames.read(answer):
        if done:
            write()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
