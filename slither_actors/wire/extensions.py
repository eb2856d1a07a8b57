"""The extension types: how the values that msgpack lacks are laid out in bytes.

Codes 64 to 127 are ours. Modules are imported when a value of theirs comes by: a worker that never sees a Decimal never
loads ``decimal``. A code, once given, keeps its meaning; a new layout gets a new code.
"""

from __future__ import annotations

import datetime as dt  # msgpack has loaded it already
import struct
import sys

from .pack import ExtType, unpack_on_heap, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn, Protocol, Self

    from .header import Buffer

    class Nesting(Protocol):
        """What an encoder of an extension type needs of the one that encodes the value around it."""

        def nested(self, value: object) -> bytes: ...
        def beside(self, data: Buffer, size: int, copied: bool = False) -> int | None: ...

    ExtensionEncoder = Callable[[Any, Nesting], "tuple[int, bytes]"]
    ExtensionDecoder = Callable[[bytes, "Hook"], Any]

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

MAX_NESTING: Final = 64
"""Extensions inside one another. Each costs a level of ``unpackb``, some 45 KiB of C stack."""
ALIGNMENT: Final = 64
"""Offsets of arrays among the out-of-band buffers are multiples of a cache line."""

# unpackb keeps its work space on the C stack, an Unpacker on the heap: the deeper levels, which are rare, use the
# latter, so that even a thread with a small stack (512 KiB on macOS) survives them.
_STACK_LEVELS: Final = 4

MOST_KEYS: Final = 256
"""Keys of a map that the quick way of decoding takes: more of them, made to share one hash, would take long."""
# Items of a list inside an extension, and inside an extension in an extension. Beside an embedding a tuple has room for
# a few fields more, so the first is larger.
_MOST_ITEMS: Final = 4096
_MOST_ITEMS_DEEPER: Final = 256


class EncodeError(ValueError):
    """A value has no form on the wire. The caller's to mend: send plain data instead.

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


_TIMEDELTA = struct.Struct("<iII")
_DATE = struct.Struct("<HBB")
_TIME = struct.Struct("<BBBBI")  # hour, minute, second, fold, microsecond
_COMPLEX = struct.Struct("<dd")


def _encode_tuple(value: tuple[Any, ...], outer: Nesting) -> tuple[int, bytes]:
    return TUPLE, outer.nested(list(value))


def _encode_set(value: set[Any], outer: Nesting) -> tuple[int, bytes]:
    return SET, outer.nested(list(value))


def _encode_frozenset(value: frozenset[Any], outer: Nesting) -> tuple[int, bytes]:
    return FROZENSET, outer.nested(list(value))


def _encode_complex(value: complex, outer: Nesting) -> tuple[int, bytes]:
    return COMPLEX, _COMPLEX.pack(value.real, value.imag)


def _encode_int(value: int, outer: Nesting) -> tuple[int, bytes]:
    return BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _encode_decimal(value: Any, outer: Nesting) -> tuple[int, bytes]:
    return DECIMAL, str(value).encode()


def _encode_date(value: dt.date, outer: Nesting) -> tuple[int, bytes]:
    return DATE, _DATE.pack(value.year, value.month, value.day)


def _time_part(value: dt.time | dt.datetime, outer: Nesting) -> bytes:
    clock = _TIME.pack(value.hour, value.minute, value.second, value.fold, value.microsecond)
    return clock if value.tzinfo is None else clock + outer.nested(value.tzinfo)


def _encode_time(value: dt.time, outer: Nesting) -> tuple[int, bytes]:
    return TIME, _time_part(value, outer)


def _encode_datetime(value: dt.datetime, outer: Nesting) -> tuple[int, bytes]:
    return DATETIME, _DATE.pack(value.year, value.month, value.day) + _time_part(value, outer)


def _encode_timedelta(value: dt.timedelta, outer: Nesting) -> tuple[int, bytes]:
    return TIMEDELTA, _TIMEDELTA.pack(value.days, value.seconds, value.microseconds)


def _encode_timezone(value: dt.timezone, outer: Nesting) -> tuple[int, bytes]:
    return TIMEZONE, outer.nested(list(value.__getinitargs__()))  # type: ignore[attr-defined]


def _encode_zone(value: Any, outer: Nesting) -> tuple[int, bytes]:
    if value.key is None:
        raise RefusedError("a ZoneInfo without a key; make it from a name, ZoneInfo('Europe/Berlin')")
    return ZONE, value.key.encode()


def _encode_uuid(value: Any, outer: Nesting) -> tuple[int, bytes]:
    return UUID, value.bytes


_PATH_KINDS: Final = ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath")


def _encode_path(value: Any, outer: Nesting) -> tuple[int, bytes]:
    # File names that are not UTF-8 are lone surrogates in a path's text: surrogatepass carries them.
    return PATH, bytes((_PATH_KINDS.index(type(value).__name__),)) + str(value).encode("utf-8", "surrogatepass")


ENCODERS: Final[dict[type, ExtensionEncoder]] = {
    tuple: _encode_tuple,
    set: _encode_set,
    frozenset: _encode_frozenset,
    complex: _encode_complex,
    int: _encode_int,
    dt.date: _encode_date,
    dt.time: _encode_time,
    dt.datetime: _encode_datetime,
    dt.timedelta: _encode_timedelta,
    dt.timezone: _encode_timezone,
}
"""By exact type; :func:`learn` adds those whose module need not be loaded."""


def learn(cls: type, value: object) -> ExtensionEncoder:
    """The encoder of a type that came by for the first time.

    :raises RefusedError: it has none; says why and what to do.
    """
    # Asking sys.modules costs nothing: no value of a type can exist whose module was never loaded.
    modules = sys.modules
    encoder: ExtensionEncoder | None = None
    if (decimal := modules.get("decimal")) is not None and cls is decimal.Decimal:
        encoder = _encode_decimal
    elif (uuid := modules.get("uuid")) is not None and cls is uuid.UUID:
        encoder = _encode_uuid
    elif (pathlib := modules.get("pathlib")) is not None and any(cls is getattr(pathlib, kind) for kind in _PATH_KINDS):
        encoder = _encode_path
    elif (zoneinfo := modules.get("zoneinfo")) is not None and cls is zoneinfo.ZoneInfo:
        encoder = _encode_zone
    elif (numpy := modules.get("numpy")) is not None and hasattr(numpy, "generic"):
        if cls is numpy.ndarray:
            from .arrays import encode_array as encoder
        elif issubclass(cls, numpy.generic) and cls.__module__ == "numpy":
            from .arrays import encode_scalar as encoder
    if encoder is None:
        from .explain import refusal

        raise RefusedError(refusal(cls, value))
    ENCODERS[cls] = encoder
    return encoder


class Beside:
    """Stands for bytes that are to go beside the body, which msgpack would copy into it without asking."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data


_PLACE: Final = struct.Struct("<QQ")


def _encode_beside(value: Beside, outer: Nesting) -> tuple[int, bytes]:
    data = value.data
    offset = outer.beside(data, len(data), copied=True)
    if offset is None:
        raise RefusedError("these bytes were to go beside the body, where nothing goes")
    return BYTES_BESIDE, _PLACE.pack(offset, len(data))


ENCODERS[Beside] = _encode_beside


def _decode_beside(data: bytes, hook: Hook) -> bytes:
    return hook.beside.take(*_PLACE.unpack(data))


class BesideBody:
    """The out-of-band buffers of the frame that is being decoded."""

    __slots__ = ("_left", "_view")

    def __init__(self, buffers: Buffer) -> None:
        self._view = memoryview(buffers)
        # What is taken is copied. Two that lie upon each other were not made by us, and many would cost any memory.
        self._left = len(self._view)

    def take(self, offset: int, size: int) -> bytes:
        """These bytes. :raises DecodeError: they are not there, or more have been taken than there are."""
        end = offset + size
        self._left -= size
        if end > len(self._view) or self._left < 0:
            raise DecodeError("bytes lie outside the frame's buffers, or upon others")
        return bytes(self._view[offset:end])

    def view(self, offset: int, size: int) -> memoryview:
        """The same to look into, and to be written to. :raises DecodeError: they are not there."""
        end = offset + size
        if not 0 <= offset <= end <= len(self._view):
            raise DecodeError("an array lies outside the frame's buffers")
        if self._view.readonly:
            self._view = memoryview(bytearray(self._view))
        return self._view[offset:end]


class Hook:
    """The ``ext_hook`` of one level of nesting; knows the out-of-band buffers."""

    __slots__ = ("_inner", "beside", "depth", "most", "on_stack")

    def __init__(self, depth: int, beside: BesideBody) -> None:
        self.depth = depth
        self.beside = beside
        self.most = _MOST_ITEMS if depth == 1 else _MOST_ITEMS_DEEPER
        self.on_stack = depth <= _STACK_LEVELS
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
        """The hook of the next level.

        :raises DecodeError: there are too many already.
        """
        inner = self._inner
        if inner is None:
            if self.depth == MAX_NESTING:
                raise DecodeError(f"more than {MAX_NESTING} extensions inside one another")
            inner = self._inner = type(self)(self.depth + 1, self.beside)
        return inner

    def value(self, data: bytes | memoryview) -> Any:
        """The value inside an extension's data."""
        inner = self._inner or self.deeper()
        if inner.on_stack:
            return unpackb(data, strict_map_key=False, max_array_len=inner.most, max_map_len=MOST_KEYS, ext_hook=inner)
        return unpack_on_heap(data, inner, inner.most, MOST_KEYS)

    def items(self, data: bytes) -> list[Any]:
        """The list inside an extension's data."""
        value = self.value(data)
        return value if type(value) is list else _no_list(value)


def _no_list(value: object) -> NoReturn:
    raise DecodeError(f"an extension holds a {type(value).__name__} where a list belongs")


def _members(data: bytes, hook: Hook) -> list[Any]:
    members = hook.items(data)
    if len(members) > MOST_KEYS:
        from .large import check_hashes

        check_hashes(members)
    return members


def _decode_complex(data: bytes, hook: Hook) -> complex:
    return complex(*_COMPLEX.unpack(data))


def _decode_decimal(data: bytes, hook: Hook) -> Any:
    from decimal import Decimal

    return Decimal(data.decode())


def _decode_date(data: bytes, hook: Hook) -> dt.date:
    return dt.date(*_DATE.unpack(data))


def _clock(data: bytes, hook: Hook) -> tuple[int, int, int, int, int, dt.tzinfo | None]:
    hour, minute, second, fold, microsecond = _TIME.unpack_from(data)
    zone = hook.value(data[_TIME.size :]) if len(data) > _TIME.size else None
    return hour, minute, second, fold, microsecond, zone


def _decode_time(data: bytes, hook: Hook) -> dt.time:
    hour, minute, second, fold, microsecond, zone = _clock(data, hook)
    return dt.time(hour, minute, second, microsecond, zone, fold=fold)


def _decode_datetime(data: bytes, hook: Hook) -> dt.datetime:
    year, month, day = _DATE.unpack_from(data)
    hour, minute, second, fold, microsecond, zone = _clock(data[_DATE.size :], hook)
    return dt.datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _decode_timedelta(data: bytes, hook: Hook) -> dt.timedelta:
    days, seconds, microseconds = _TIMEDELTA.unpack(data)
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

    return getattr(pathlib, _PATH_KINDS[data[0]])(data[1:].decode("utf-8", "surrogatepass"))


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
}
