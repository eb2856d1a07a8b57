"""From values that msgpack lacks to the bytes of their extension types. `decoders` has the way back."""

from __future__ import annotations

import datetime as dt  # msgpack has loaded it already
import sys
from operator import is_

from .extension_codes import (
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
    RefusedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from .extension_codes import ExtensionEncoder, Nesting


def _encode_tuple(value: tuple[Any, ...], outer: Nesting) -> tuple[int, bytes]:
    return TUPLE, outer.nested(list(value))


def _encode_set(value: set[Any], outer: Nesting) -> tuple[int, bytes]:
    return SET, outer.nested(list(value))


def _encode_frozenset(value: frozenset[Any], outer: Nesting) -> tuple[int, bytes]:
    return FROZENSET, outer.nested(list(value))


def _encode_complex(value: complex, outer: Nesting) -> tuple[int, bytes]:
    return COMPLEX, COMPLEX_LAYOUT.pack(value.real, value.imag)


def _encode_int(value: int, outer: Nesting) -> tuple[int, bytes]:
    return BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _encode_decimal(value: Any, outer: Nesting) -> tuple[int, bytes]:
    return DECIMAL, str(value).encode()


def _encode_date(value: dt.date, outer: Nesting) -> tuple[int, bytes]:
    return DATE, DATE_LAYOUT.pack(value.year, value.month, value.day)


def _time_part(value: dt.time | dt.datetime, outer: Nesting) -> bytes:
    clock = TIME_LAYOUT.pack(value.hour, value.minute, value.second, value.fold, value.microsecond)
    return clock if value.tzinfo is None else clock + outer.nested(value.tzinfo)


def _encode_time(value: dt.time, outer: Nesting) -> tuple[int, bytes]:
    return TIME, _time_part(value, outer)


def _encode_datetime(value: dt.datetime, outer: Nesting) -> tuple[int, bytes]:
    return DATETIME, DATE_LAYOUT.pack(value.year, value.month, value.day) + _time_part(value, outer)


def _encode_timedelta(value: dt.timedelta, outer: Nesting) -> tuple[int, bytes]:
    return TIMEDELTA, TIMEDELTA_LAYOUT.pack(value.days, value.seconds, value.microseconds)


def _encode_timezone(value: dt.timezone, outer: Nesting) -> tuple[int, bytes]:
    return TIMEZONE, outer.nested(with_surrogates(list(value.__getinitargs__())))  # type: ignore[attr-defined]


def _encode_zone(value: Any, outer: Nesting) -> tuple[int, bytes]:
    if value.key is None:
        raise RefusedError("a ZoneInfo without a key; make it from a name, ZoneInfo('Europe/Berlin')")
    return ZONE, value.key.encode()


def _encode_uuid(value: Any, outer: Nesting) -> tuple[int, bytes]:
    return UUID, value.bytes


def _encode_path(value: Any, outer: Nesting) -> tuple[int, bytes]:
    # File names that are not UTF-8 are lone surrogates in a path's text: surrogatepass carries them.
    return PATH, bytes((PATH_KINDS.index(type(value).__name__),)) + str(value).encode("utf-8", "surrogatepass")


class Surrogates(str):
    """Stands for text with lone surrogates while it is encoded: a type of its own, so that msgpack asks for a form."""

    __slots__ = ()


def _encode_surrogates(value: Surrogates, outer: Nesting) -> tuple[int, bytes]:
    return SURROGATES, str.encode(value, "utf-8", "surrogatepass")


def with_surrogates(value: Any) -> Any:
    """``value`` with its texts that are no UTF-8 marked; what holds none is the same object.

    Only ever called after such a text was met, so that good text costs nothing. Calls itself from Python, not by way of
    `map`: so a thread with a small C stack ends at the recursion limit, not by an overflow.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return Surrogates(value)
        return value
    if kind is dict:
        keys, items = [with_surrogates(key) for key in value], [with_surrogates(item) for item in value.values()]
        same = all(map(is_, keys, value)) and all(map(is_, items, value.values()))
        return value if same else dict(zip(keys, items))  # noqa: B905 (Python 3.9 has no `strict`)
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        made = [with_surrogates(item) for item in value]
        return value if all(map(is_, made, value)) else kind(made)
    return value


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
    Surrogates: _encode_surrogates,
}
"""By exact type; :func:`learn` adds those whose module need not be loaded."""


def learn(cls: type, value: object) -> ExtensionEncoder:
    """Find the encoder of a type at its first value.

    Raises:
        RefusedError: it has none; says why and what to do.
    """
    # Asking sys.modules costs nothing: no value of a type can exist whose module was never loaded.
    modules = sys.modules
    encoder: ExtensionEncoder | None = None
    if (decimal := modules.get("decimal")) is not None and cls is decimal.Decimal:
        encoder = _encode_decimal
    elif (uuid := modules.get("uuid")) is not None and cls is uuid.UUID:
        encoder = _encode_uuid
    elif (pathlib := modules.get("pathlib")) is not None and any(cls is getattr(pathlib, kind) for kind in PATH_KINDS):
        encoder = _encode_path
    elif (zoneinfo := modules.get("zoneinfo")) is not None and cls is zoneinfo.ZoneInfo:
        encoder = _encode_zone
    elif (numpy := modules.get("numpy")) is not None and hasattr(numpy, "generic"):
        if cls is numpy.ndarray:
            from .arrays import encode_array as encoder
        elif issubclass(cls, numpy.generic) and cls.__module__ == "numpy":
            from .arrays import encode_scalar as encoder
    if encoder is None:
        from .refusals import refusal

        raise RefusedError(refusal(cls, value))
    ENCODERS[cls] = encoder
    return encoder


class Beside:
    """Stands for bytes that are to go beside the body, which msgpack would copy into it without asking."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data


def _encode_beside(value: Beside, outer: Nesting) -> tuple[int, bytes]:
    data = value.data
    offset = outer.beside(data, len(data), copied=True)
    if offset is None:
        raise RefusedError("these bytes were to go beside the body, where nothing goes")
    return BYTES_BESIDE, PLACE_LAYOUT.pack(offset, len(data))


ENCODERS[Beside] = _encode_beside
