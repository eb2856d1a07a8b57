"""What exceeds the bounds of the quick way of decoding comes back all the same, or is refused for what it is."""

from __future__ import annotations

import decimal
import struct
import tracemalloc
import uuid
from typing import Any

import msgpack
import pytest

from slither_actors.wire import careful_decoder
from slither_actors.wire.codec import DecodeError, decode, encode
from slither_actors.wire.extension_codes import MAX_NESTING

NUMBERS = range(5000)
MODULUS = (1 << 61) - 1  # of the hashes of numbers

LARGE: list[Any] = [
    {f"{n}": n for n in NUMBERS},
    {n: n for n in NUMBERS},
    {n / 2: n for n in NUMBERS},
    {f"{n}".encode(): n for n in NUMBERS},
    {(n, "x"): n for n in NUMBERS},
    {uuid.UUID(int=n): n for n in NUMBERS},
    {decimal.Decimal(n): n for n in NUMBERS},
    {msgpack.Timestamp(n, n): n for n in NUMBERS},
    {n: (n,) for n in NUMBERS},
    {n: {n} for n in NUMBERS},
    {n: msgpack.Timestamp(n) for n in NUMBERS},
    {frozenset({n, -n}): n for n in NUMBERS},
    {None: 0, "a": 1, b"b": 2, 1.5: 3, (4,): 4, **dict.fromkeys(NUMBERS, ())},
    {-1: 0, -2: 1, **dict.fromkeys(NUMBERS)},
    {"a": {n: {m: m for m in range(300)} for n in range(300)}},
    set(NUMBERS),
    frozenset(NUMBERS),
    {(n,) for n in NUMBERS},
    tuple(NUMBERS),
    ([*NUMBERS],),
    (tuple(NUMBERS),),
    ((tuple(NUMBERS),),),
    ({n: n for n in NUMBERS},),
    {(frozenset(NUMBERS),)},
    [[*NUMBERS]] * 3,
    ("id", [float(n) for n in NUMBERS]),
    {n: 2**n for n in range(300)},
]


def nested(value: object, levels: int) -> object:
    for _ in range(levels):
        value = (value,)
    return value


@pytest.mark.parametrize("levels", [0, 1, 2, 10])
def test_what_is_large_comes_back_equal_and_of_the_same_type(levels: int) -> None:
    for value in LARGE:
        wrapped = nested(value, levels)
        body = encode(wrapped)
        back = decode(memoryview(bytearray(body)))  # as a large frame has it
        assert back == wrapped == decode(body)
        for _ in range(levels):
            (back,) = back
        assert type(back) is type(value)
        assert [*map(type, back)] == [*map(type, value)]


def test_the_order_of_a_large_map_is_kept() -> None:
    for value in (dict.fromkeys(reversed(NUMBERS)), {(n,): 0 for n in reversed(NUMBERS)}):
        assert list(decode(encode(value))) == list(value)


def test_what_is_ordinary_is_not_decoded_in_the_careful_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(careful_decoder, "decode_large", refuse)
    for value in (
        [*range(100_000)],
        [{"id": n, 2: "x" * 100} for n in range(64)],
        [[0.5] * 5000] * 64,
        [b"a" * (1 << 20)],
        [(n, [0.5] * 4096) for n in range(64)],
        [{n: n for n in range(256)}],
        [(n, {"a"}) for n in range(10_000)],
        [set(range(4096))],
    ):
        assert decode(encode(value)) == value


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_up_to_256_keys_may_have_one_hash_and_no_more(levels: int) -> None:
    for make in (lambda n: n * MODULUS, lambda n: uuid.UUID(int=n * MODULUS), lambda n: decimal.Decimal(n * MODULUS)):
        keys = [make(n) for n in range(1, 258)]
        for some in (keys[:256], [*keys[:256], *range(1000, 3000)]):
            value = nested(dict.fromkeys(some), levels)
            assert decode(encode(value)) == value
            value = nested({(key,) for key in some}, levels)
            assert decode(encode(value)) == value
        for some in (keys, [*keys, *range(1000, 3000)]):
            for value in (dict.fromkeys(some), set(some), frozenset(some)):
                with pytest.raises(DecodeError, match="one hash"):
                    decode(encode(nested([value], levels)))


@pytest.mark.parametrize(
    "body",
    [
        b"\xde\x01\x01" + b"\xc0" * 600,
        b"\xde\x01\x01" + b"\xc0" * 100,
        b"\xde\x01\x01" + b"\x90\xc0" * 257,
        b"\x92\xde\x01\x01" + b"\x01\xc0" * 257 + b"\xc1",
        b"\xde\x01\x01" + b"\xc7\x01\x40\xc0\xc0" * 257,
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 1000 + b"\xdf\xff\xff\xff\xff",
    ],
)
def test_what_is_large_and_wrong_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)


def test_what_nested_extensions_announce_is_not_allocated() -> None:
    body = b"\xc0"
    for _ in range(MAX_NESTING):
        header = b"\xdd" + struct.pack(">I", len(body) + 30_000)
        body = msgpack.packb(msgpack.ExtType(64, header * 1000 + body + b"\xc0" * 30_000))
    with pytest.raises(DecodeError):
        decode(body)  # loads what it needs
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(body)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(body)  # 64,000 lists of 10,000 make 5 GB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stamp", [msgpack.Timestamp(1), msgpack.Timestamp(1, 1), msgpack.Timestamp(-1, 1)])
@pytest.mark.parametrize("before", [None, "\u00ff", -1, 0xD6, b"\xc7\x0c"])
def test_timestamps_of_any_size_are_extensions_when_careful(
    stamp: object, before: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """msgpack makes them itself and asks no hook, and their comparison is slow."""
    hooks = []
    careful = careful_decoder.CarefulHook
    monkeypatch.setattr(careful_decoder, "CarefulHook", lambda *args: hooks.append(args) or careful(*args))
    plain = [before, dict.fromkeys(NUMBERS)]
    assert decode(encode(plain)) == plain
    assert not hooks
    value = [*plain, stamp]
    assert decode(encode(value)) == value
    assert hooks
