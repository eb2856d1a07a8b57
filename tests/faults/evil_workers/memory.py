"""Takes memory, and keeps it or not. Runs on Python 3.9."""

from __future__ import annotations

import os

kept = []


def takes(sizes):
    """As many bytes as the largest payload says, for as long as the batch takes."""
    block = bytearray(max(sizes))
    return [len(block) for _ in sizes]


def fills(payloads):
    """All that there is, in small pieces, so that there is nothing left to tell of it with."""
    held = []
    while True:
        held.append(bytearray(1_000))


def fills_on_negative(payload):
    return payload if payload >= 0 else fills(payload)


def keeps(sizes):
    """Leaks: what it takes it never gives back. Touched, so that it is resident."""
    kept.extend(b"\1" * size for size in sizes)
    return [os.getpid()] * len(sizes)


def lengths(payloads):
    return [len(payload) for payload in payloads]


def makes(sizes):
    """Text of these sizes: one may be there, and yet there is no room to encode it."""
    return ["x" * size for size in sizes]
