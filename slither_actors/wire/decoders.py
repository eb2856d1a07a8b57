"""The extension types, back from bytes to values; :mod:`.extensions` says how they are laid out.

Modules are imported when a value of theirs comes by: a worker that never sees a Decimal never loads ``decimal``.
"""

from __future__ import annotations

import datetime as dt  # msgpack has loaded it already

from .c_stack import room
from .extension_codes import (
    ARRAY,
    ARRAY_BESIDE,
    BIG_INT,
    BYTES_BESIDE,
    COMPLEX,
    COMPLEX_LAYOUT,
    DATE,
    DATE_LAYOUT,
    DATETIME,
    DECIMAL,
    FROZENSET,
    PATH,
    PATH_KINDS,
    PLACE_LAYOUT,
    SCALAR,
    SET,
    SURROGATES,
    TIME,
    TIME_LAYOUT,
    TIMEDELTA,
    TIMEDELTA_LAYOUT,
    TIMEZONE,
    TUPLE,
    UUID,
    ZONE,
    DecodeError,
)
from .msgpack_settings import ExtType, unpack_on_heap, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn, Self

    from .header import Buffer

    ExtensionDecoder = Callable[[bytes, "Hook"], Any]

# unpackb keeps its work space, 45 KiB a level, on the C stack, an Unpacker on the heap: the deeper levels, which are
# rare, use the latter; so do all levels in a thread with a small stack.
_STACK_LEVELS: Final = 4

MOST_KEYS: Final = 256
"""Keys of a map that the quick way of decoding takes: more of them, made to share one hash, would take long."""
# Items of a list inside an extension, and inside an extension in an extension. Beside an embedding a tuple has room for
# a few fields more, so the first is larger.
_MOST_ITEMS: Final = 4096
_MOST_ITEMS_DEEPER: Final = 256


class BesideBody:
    """The out-of-band buffers of the frame that is being decoded."""

    __slots__ = ("_left", "_view")

    def __init__(self, buffers: Buffer) -> None:
        self._view = memoryview(buffers)
        # What is taken is copied. Two that lie upon each other were not made by us, and many would cost any memory.
        self._left = len(self._view)

    def take(self, offset: int, size: int) -> bytes:
        """Take these bytes.

        Raises:
            DecodeError: they are not there, or more have been taken than there are.
        """
        end = offset + size
        self._left -= size
        if end > len(self._view) or self._left < 0:
            raise DecodeError("bytes lie outside the frame's buffers, or upon others")
        return bytes(self._view[offset:end])

    def view(self, offset: int, size: int) -> memoryview:
        """Return a writable view of these bytes.

        Raises:
            DecodeError: they are not there.
        """
        end = offset + size
        if not 0 <= offset <= end <= len(self._view):
            raise DecodeError("an array lies outside the frame's buffers")
        if self._view.readonly:
            self._view = memoryview(bytearray(self._view))
        return self._view[offset:end]


class Hook:
    """The ``ext_hook`` of one level of nesting; knows the out-of-band buffers. For the thread that made it."""

    __slots__ = ("_inner", "beside", "depth", "most", "on_stack")

    def __init__(self, depth: int, beside: BesideBody) -> None:
        self.depth = depth
        self.beside = beside
        self.most = _MOST_ITEMS if depth == 1 else _MOST_ITEMS_DEEPER
        self.on_stack = depth <= _STACK_LEVELS and room.large
        self._inner: Self | None = None

    def __call__(self, code: int, data: bytes) -> Any:
        if code == TUPLE:
            value = self.value(data)
            return tuple(value) if type(value) is list else _no_list(value)
        decoder = _DECODERS.get(code)
        if decoder is None:
            if code < TUPLE:
                return ExtType(code, data)
            raise DecodeError(f"there is no extension type {code}")
        return decoder(data, self)

    def deeper(self) -> Self:
        """Return the hook of the next level.

        Raises:
            DecodeError: there are too many already.
        """
        inner = self._inner
        if inner is None:
            if self.depth >= room.extensions:
                raise DecodeError(f"more than {room.extensions} extensions inside one another")
            inner = self._inner = type(self)(self.depth + 1, self.beside)
        return inner

    def value(self, data: bytes | memoryview) -> Any:
        """Decode the value inside an extension's data."""
        inner = self._inner or self.deeper()
        if inner.on_stack:
            return unpackb(data, strict_map_key=False, max_array_len=inner.most, max_map_len=MOST_KEYS, ext_hook=inner)
        return unpack_on_heap(data, inner, inner.most, MOST_KEYS)

    def items(self, data: bytes) -> list[Any]:
        """Decode the list inside an extension's data."""
        value = self.value(data)
        return value if type(value) is list else _no_list(value)


def _no_list(value: object) -> NoReturn:
    raise DecodeError(f"an extension holds a {type(value).__name__} where a list belongs")


def _members(data: bytes, hook: Hook) -> list[Any]:
    members = hook.items(data)
    if len(members) > MOST_KEYS:
        from .hash_limits import check_hashes

        check_hashes(members)
    return members


def _decode_beside(data: bytes, hook: Hook) -> bytes:
    return hook.beside.take(*PLACE_LAYOUT.unpack(data))


def _decode_complex(data: bytes, hook: Hook) -> complex:
    return complex(*COMPLEX_LAYOUT.unpack(data))


def _decode_decimal(data: bytes, hook: Hook) -> Any:
    from decimal import Decimal

    return Decimal(data.decode())


def _decode_date(data: bytes, hook: Hook) -> dt.date:
    return dt.date(*DATE_LAYOUT.unpack(data))


def _clock(data: bytes, hook: Hook) -> tuple[int, int, int, int, int, dt.tzinfo | None]:
    hour, minute, second, fold, microsecond = TIME_LAYOUT.unpack_from(data)
    zone = hook.value(data[TIME_LAYOUT.size :]) if len(data) > TIME_LAYOUT.size else None
    return hour, minute, second, fold, microsecond, zone


def _decode_time(data: bytes, hook: Hook) -> dt.time:
    hour, minute, second, fold, microsecond, zone = _clock(data, hook)
    return dt.time(hour, minute, second, microsecond, zone, fold=fold)


def _decode_datetime(data: bytes, hook: Hook) -> dt.datetime:
    year, month, day = DATE_LAYOUT.unpack_from(data)
    hour, minute, second, fold, microsecond, zone = _clock(data[DATE_LAYOUT.size :], hook)
    return dt.datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _decode_timedelta(data: bytes, hook: Hook) -> dt.timedelta:
    days, seconds, microseconds = TIMEDELTA_LAYOUT.unpack(data)
    return dt.timedelta(days, seconds, microseconds)


def _decode_timezone(data: bytes, hook: Hook) -> dt.timezone:
    return dt.timezone(*hook.items(data))


# zoneinfo itself keeps the last eight and those in use; beyond, each is read from its file again, at 30 µs. There are
# some 600 names, and no more enter than there are files.
_zones: Final[dict[str, Any]] = {}


def _decode_zone(data: bytes, hook: Hook) -> Any:
    from zoneinfo import ZoneInfo

    key = data.decode()
    zone = _zones[key] = ZoneInfo(key)
    return zone


def _decode_uuid(data: bytes, hook: Hook) -> Any:
    from uuid import UUID

    return UUID(bytes=data)


def _decode_path(data: bytes, hook: Hook) -> Any:
    import pathlib

    return getattr(pathlib, PATH_KINDS[data[0]])(data[1:].decode("utf-8", "surrogatepass"))


def _decode_array(data: bytes, hook: Hook) -> Any:
    from .arrays import decode_array

    return decode_array(data, hook)


def _decode_array_beside(data: bytes, hook: Hook) -> Any:
    from .arrays import decode_array_beside

    return decode_array_beside(data, hook)


def _decode_scalar(data: bytes, hook: Hook) -> Any:
    from .arrays import decode_scalar

    return decode_scalar(data, hook)


_DECODERS: Final[dict[int, ExtensionDecoder]] = {
    SET: lambda data, hook: set(_members(data, hook)),
    FROZENSET: lambda data, hook: frozenset(_members(data, hook)),
    COMPLEX: _decode_complex,
    BIG_INT: lambda data, hook: int.from_bytes(data, "little", signed=True),
    DECIMAL: _decode_decimal,
    DATE: _decode_date,
    TIME: _decode_time,
    DATETIME: _decode_datetime,
    TIMEDELTA: _decode_timedelta,
    TIMEZONE: _decode_timezone,
    ZONE: _decode_zone,
    UUID: _decode_uuid,
    PATH: _decode_path,
    ARRAY: _decode_array,
    ARRAY_BESIDE: _decode_array_beside,
    SCALAR: _decode_scalar,
    BYTES_BESIDE: _decode_beside,
    SURROGATES: lambda data, hook: data.decode("utf-8", "surrogatepass"),
}
