"""Decoding replies of plain values by msgspec: with text and maps half the time of msgpack.

A value is here what `slither_actors.wire.codec` takes for it, with these exceptions, which are left to
that: extensions (tuples, sets, arrays and the like), timestamps (which msgspec makes datetimes of), and whatever is no
value at all, so that the error is the same. A list is never made longer than the bytes that are there can fill.

Larger bodies are left to it, too: keys that all have one hash are counted there, while here they cost time that grows
with the square of their number.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from slither_actors.wire.c_stack import room
from slither_actors.wire.codec import decode
from slither_actors.wire.header import Frame
from supervisors.runtime.interrupts import raised_by_handler

LEAST = 1024
"""Bytes of a body: below that it is a few numbers, which msgpack is as fast with."""
MOST = 32 * 1024
"""Bytes of a body: filled with lists as keys, all of one hash, it takes 60 ms."""

_TIMESTAMP = re.compile(rb"\xff(?:(?<=[\xd6\xd7]\xff)|(?<=\xc7\x0c\xff))")
"""How one begins, in each of its three sizes. Looked for from its last byte on: that is rare in text."""


class _Extension(Exception):
    """There is one in the body."""


def _extension(code: int, data: memoryview) -> NoReturn:
    raise _Extension


class ReplyDecoder:
    """Decodes the replies of one run. For one thread.

    A run whose replies have extensions is not tried the quick way any more.
    """

    __slots__ = ("_plain", "_quick")

    def __init__(self) -> None:
        self._plain = True
        self._quick = msgspec.msgpack.Decoder(ext_hook=_extension).decode

    def decode(self, frame: Frame) -> Any:
        """Return the value in a frame.

        Raises:
            DecodeError: there is none.
        """
        body = frame.body
        if LEAST <= len(body) <= MOST and self._plain and room.recursive:
            try:
                if b"\xff" not in body or _TIMESTAMP.search(body) is None:
                    return self._quick(body)
            except _Extension:
                self._plain = False
            except (msgspec.DecodeError, RecursionError, TypeError, ValueError) as error:
                if raised_by_handler(error):
                    raise
                # said better, or after all decoded, by the other
        return decode(body, frame.buffers)
