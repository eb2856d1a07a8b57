"""The hook that makes values of extensions, level by level, and the bytes beside the body."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import uuid
import zoneinfo
from types import SimpleNamespace
from typing import Any

import msgpack
import numpy as np
import pytest

from slither_actors.wire import decoders
from slither_actors.wire.codec import Encoder, decode, encode
from slither_actors.wire.decoders import MOST_KEYS, BesideBody, Hook
from slither_actors.wire.extension_codes import (
    BIG_INT,
    BYTES_BESIDE,
    COMPLEX,
    DATE,
    DATETIME,
    DECIMAL,
    FROZENSET,
    PATH,
    PLACE_LAYOUT,
    SET,
    SURROGATES,
    TIME,
    TIMEDELTA,
    TIMEZONE,
    TUPLE,
    UUID,
    ZONE,
    DecodeError,
)
from slither_actors.wire.msgpack_settings import unpack_on_heap

UTC = msgpack.packb(msgpack.ExtType(TIMEZONE, msgpack.packb([msgpack.ExtType(TIMEDELTA, bytes(12))])))
CLOCK = b"\x01\x02\x03\x01\x04\x00\x00\x00"  # 1:02:03.000004, fold 1
MODULUS = (1 << 61) - 1  # of the hashes of numbers


def hook(beside: bytes | bytearray = b"") -> Hook:
    return Hook(0, BesideBody(beside))


def tuples(levels: int) -> bytes:
    """The data of a tuple with `levels` - 1 further tuples inside one another."""
    data = b"\x90"
    for _ in range(levels - 1):
        data = msgpack.packb([msgpack.ExtType(TUPLE, data)])
    return data


def a_room(extensions: int = 64, large: bool = True) -> Any:
    return SimpleNamespace(extensions=extensions, large=large)


@pytest.mark.parametrize(
    ("code", "data", "expected"),
    [
        (TUPLE, b"\x92\x01\xa1x", (1, "x")),
        (SET, b"\x92\x01\x02", {1, 2}),
        (FROZENSET, b"\x91\x01", frozenset({1})),
        (COMPLEX, bytes(8) + b"\x00\x00\x00\x00\x00\x00\xf0\x3f", 1j),
        (BIG_INT, b"\x00\x00\x00\x00\x00\x00\x00\x00\x01", 2**64),
        (BIG_INT, b"\xff", -1),
        (DECIMAL, b"1.50", decimal.Decimal("1.50")),
        (DATE, b"\xe8\x07\x02\x1d", dt.date(2024, 2, 29)),
        (TIME, CLOCK, dt.time(1, 2, 3, 4, fold=1)),
        (TIME, CLOCK + UTC, dt.time(1, 2, 3, 4, dt.UTC, fold=1)),
        (DATETIME, b"\xe8\x07\x02\x1d" + CLOCK + UTC, dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.UTC, fold=1)),
        (TIMEDELTA, b"\xff\xff\xff\xff\x02\x00\x00\x00\x03\x00\x00\x00", dt.timedelta(-1, 2, 3)),
        (ZONE, b"Europe/Berlin", zoneinfo.ZoneInfo("Europe/Berlin")),
        (UUID, bytes(15) + b"\x07", uuid.UUID(int=7)),
        (PATH, b"\x00/a", pathlib.PurePosixPath("/a")),
        (PATH, b"\x02c:\\x", pathlib.PureWindowsPath("c:\\x")),
        (PATH, b"\x01\xed\xb3\xbf", pathlib.PosixPath("\udcff")),
        (SURROGATES, b"a\xed\xb3\xbf", "a\udcff"),
    ],
)
def test_an_extension_is_a_value_of_its_type(code: int, data: bytes, expected: Any) -> None:
    made = hook()(code, data)
    assert repr(made) == repr(expected)
    assert made == expected
    assert type(made) is type(expected)


def test_arrays_are_values_too() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    body, buffers = Encoder(out_of_band=1).encode([array])
    assert len(buffers) == 1
    (beside,) = decode(body, b"".join(buffers))
    (inside, scalar) = decode(encode([array, np.float32(1.5)]))
    for back in (beside, inside):
        assert back.dtype == array.dtype
        assert back.tolist() == array.tolist()
    assert (scalar, type(scalar)) == (1.5, np.float32)


def test_a_zone_is_read_from_its_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    zones: dict[str, Any] = {}
    monkeypatch.setattr(decoders, "_zones", zones)
    zone = hook()(ZONE, b"Europe/Berlin")
    assert zones == {"Europe/Berlin": zone}
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        hook()(ZONE, b"No/Such")
    assert list(zones) == ["Europe/Berlin"]


def test_codes_of_the_caller_stay_extensions() -> None:
    assert hook()(TUPLE - 1, b"data") == msgpack.ExtType(63, b"data")
    assert hook()(0, b"") == msgpack.ExtType(0, b"")


@pytest.mark.parametrize("code", [SURROGATES + 1, 127])
def test_a_code_of_ours_without_meaning_is_refused(code: int) -> None:
    with pytest.raises(DecodeError, match=f"no extension type {code}"):
        hook()(code, b"")


@pytest.mark.parametrize("code", [TUPLE, SET, FROZENSET, TIMEZONE])
def test_what_holds_members_needs_a_list(code: int) -> None:
    with pytest.raises(DecodeError, match="holds a dict where a list belongs"):
        hook()(code, b"\x80")


@pytest.mark.parametrize("large", [True, False])
def test_extensions_nest_as_deep_as_there_is_room(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room(7, large))
    value = hook()(TUPLE, tuples(7))
    for _ in range(6):
        (value,) = value
    assert value == ()
    with pytest.raises(DecodeError, match="more than 7 extensions inside one another"):
        hook()(TUPLE, tuples(8))


def test_only_the_upper_levels_are_decoded_on_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room())
    hooks = [hook()]
    for _ in range(6):
        hooks.append(hooks[-1].deeper())
    assert [each.depth for each in hooks] == list(range(7))
    assert [each.on_stack for each in hooks] == [True] * 5 + [False] * 2
    assert hooks[0].deeper() is hooks[1]
    assert {each.beside for each in hooks} == {hooks[0].beside}
    monkeypatch.setattr(decoders, "room", a_room(large=False))
    assert not hook().on_stack


def test_each_level_is_decoded_where_its_hook_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room())
    depths: dict[str, list[int]] = {"unpackb": [], "unpack_on_heap": []}

    def on_stack(data: bytes, *, ext_hook: Hook, **bounds: Any) -> Any:
        depths["unpackb"].append(ext_hook.depth)
        return msgpack.unpackb(data, ext_hook=ext_hook, **bounds)

    def on_heap(data: bytes, inner: Hook, *bounds: int) -> Any:
        depths["unpack_on_heap"].append(inner.depth)
        return unpack_on_heap(data, inner, *bounds)

    monkeypatch.setattr(decoders, "unpackb", on_stack)
    monkeypatch.setattr(decoders, "unpack_on_heap", on_heap)
    hook()(TUPLE, tuples(6))
    assert depths == {"unpackb": [1, 2, 3, 4], "unpack_on_heap": [5, 6]}


@pytest.mark.parametrize("large", [True, False])
def test_a_list_inside_an_extension_is_bounded(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room(large=large))
    made = hook()(TUPLE, msgpack.packb([0] * 4096))
    assert made == (0,) * 4096
    with pytest.raises(ValueError, match="4097"):
        hook()(TUPLE, msgpack.packb([0] * 4097))


@pytest.mark.parametrize("large", [True, False])
def test_a_list_two_extensions_deep_is_bounded_tighter(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room(large=large))

    def deeper(count: int) -> bytes:
        return msgpack.packb([msgpack.ExtType(TUPLE, msgpack.packb([0] * count))])

    assert hook()(TUPLE, deeper(256)) == ((0,) * 256,)
    with pytest.raises(ValueError, match="257"):
        hook()(TUPLE, deeper(257))


@pytest.mark.parametrize("large", [True, False])
def test_a_map_inside_an_extension_is_bounded(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room(large=large))
    most = {key: key for key in range(256)}
    assert hook()(TUPLE, msgpack.packb([most])) == (most,)
    with pytest.raises(ValueError, match="257"):
        hook()(TUPLE, msgpack.packb([{**most, -1: -1}]))


@pytest.mark.parametrize("large", [True, False])
def test_keys_inside_an_extension_may_be_of_any_type(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "room", a_room(large=large))
    assert hook()(TUPLE, b"\x91\x82\x01\x02\xc0\x03") == ({1: 2, None: 3},)


@pytest.mark.parametrize("code", [SET, FROZENSET])
def test_members_with_one_hash_are_bounded(code: int) -> None:
    members = [number * MODULUS for number in range(1, MOST_KEYS + 2)]
    assert hook()(code, encode(members[:MOST_KEYS])) == set(members[:MOST_KEYS])
    assert hook()(code, encode([*range(1000)])) == set(range(1000))
    with pytest.raises(DecodeError, match="one hash"):
        hook()(code, encode(members))


def test_bytes_beside_the_body_are_copied_out() -> None:
    given = bytearray(b"abcdef")
    taken = hook(given)(BYTES_BESIDE, PLACE_LAYOUT.pack(2, 3))
    given[:] = bytes(6)
    assert taken == b"cde"
    assert type(taken) is bytes


@pytest.mark.parametrize("place", [(0, 7), (6, 1), (7, 0), (2**63, 1)])
def test_bytes_that_are_not_beside_are_refused(place: tuple[int, int]) -> None:
    with pytest.raises(DecodeError, match="outside the frame's buffers"):
        BesideBody(b"abcdef").take(*place)


def test_no_more_is_taken_than_there_is() -> None:
    beside = BesideBody(b"abcdef")
    assert (beside.take(0, 4), beside.take(4, 2)) == (b"abcd", b"ef")
    with pytest.raises(DecodeError, match="or upon others"):
        beside.take(0, 1)


def test_a_view_of_writable_buffers_is_no_copy() -> None:
    given = bytearray(b"abcdef")
    BesideBody(given).view(1, 2)[:] = b"BC"
    assert given == b"aBCdef"


def test_a_view_of_other_buffers_is_writable_all_the_same() -> None:
    given = b"abcdef"
    beside = BesideBody(given)
    first = beside.view(1, 2)
    first[:] = b"BC"
    assert beside.view(0, 6) == b"aBCdef"  # one copy for all views
    assert given == b"abcdef"


@pytest.mark.parametrize("place", [(0, 7), (6, 1), (-1, 1), (2, -1)])
def test_a_view_beyond_the_buffers_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(DecodeError, match="an array lies outside"):
        BesideBody(b"abcdef").view(*place)
