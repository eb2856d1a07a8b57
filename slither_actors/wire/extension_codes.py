"""The extension types: their codes and limits, the errors of encoding and decoding, and who calls whom.

Codes 64 to 127 are ours. A code, once given, keeps its meaning; a new layout gets a new code. `extensions` has the way
from values to bytes, `decoders` the way back.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, Protocol

    from .header import Buffer

    class Nesting(Protocol):
        """What an encoder of an extension type needs of the one that encodes the value around it."""

        def nested(self, value: object) -> bytes: ...
        def beside(self, data: Buffer, size: int, copied: bool = False) -> int | None: ...

    ExtensionEncoder = Callable[[Any, Nesting], "tuple[int, bytes]"]

    class Buffers(Protocol):
        """The out-of-band buffers of the frame that is being decoded."""

        def take(self, offset: int, size: int) -> bytes: ...
        def view(self, offset: int, size: int) -> memoryview: ...

    class Decoding(Protocol):
        """What a decoder of an extension type needs of the one that decodes the value around it."""

        @property
        def beside(self) -> Buffers: ...
        def value(self, data: bytes | memoryview) -> Any: ...
        def items(self, data: bytes) -> list[Any]: ...

    ExtensionDecoder = Callable[[bytes, Decoding], Any]

TUPLE: Final = 64
SET: Final = 65
FROZENSET: Final = 66
COMPLEX: Final = 67
BIG_INT: Final = 68
DECIMAL: Final = 69
DATE: Final = 70
TIME: Final = 71
DATETIME: Final = 72
TIMEDELTA: Final = 73
TIMEZONE: Final = 74
ZONE: Final = 75
UUID: Final = 76
PATH: Final = 77
ARRAY: Final = 78
ARRAY_BESIDE: Final = 79
SCALAR: Final = 80
BYTES_BESIDE: Final = 81
SURROGATES: Final = 82
"""Text with lone surrogates, which is no UTF-8: as ``surrogatepass`` encodes it."""

MAX_NESTING: Final = 64
"""Extensions inside one another. Each costs a level of ``unpackb``, some 45 KiB of C stack."""
ALIGNMENT: Final = 64
"""Offsets of arrays among the out-of-band buffers are multiples of a cache line."""

COMPLEX_LAYOUT: Final = struct.Struct("<dd")
DATE_LAYOUT: Final = struct.Struct("<HBB")
TIME_LAYOUT: Final = struct.Struct("<BBBBI")
"""Hour, minute, second, fold, microsecond; the zone follows, if there is one."""
TIMEDELTA_LAYOUT: Final = struct.Struct("<iII")
PLACE_LAYOUT: Final = struct.Struct("<QQ")
"""Offset and size of bytes beside the body."""
PATH_KINDS: Final = ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath")
"""By the first byte of a path."""


class EncodeError(ValueError):
    """A value has no form on the wire. The caller can fix it: send plain data instead.

    :ivar path: where it is inside the value, as one would write it: ``[3]['user']``; empty: the value itself.
    :ivar reason: what is there and what to do about it.
    :ivar steps: the path as list indexes and keys (keys that are neither int nor str as their repr).
    """

    def __init__(self, path: str, reason: str, steps: tuple[int | str, ...] = ()) -> None:
        super().__init__(path, reason, steps)
        self.path = path
        self.reason = reason
        self.steps = steps

    def __str__(self) -> str:
        return f"at {self.path}: {self.reason}" if self.path else self.reason


class DecodeError(ValueError):
    """These bytes are not a value."""


class RefusedError(TypeError):
    """Raised while encoding: this one value cannot go; becomes an :class:`EncodeError` once its place is found."""
