"""Bytes for a frame parser, as they come from a pipe."""

from __future__ import annotations

from slither_actors.wire.frames import Frame, FrameParser


def read_in(parser: FrameParser, data: bytes, step: int) -> list[Frame]:
    """As a host reads: into the parser's buffer, at most ``step`` bytes at a time."""
    found: list[Frame] = []
    rest = memoryview(data)
    while rest:
        room = parser.buffer()
        n = min(step, len(room), len(rest))
        room[:n] = rest[:n]
        found += parser.received(n)
        rest = rest[n:]
    return found
