"""Bodies and streams of up to 64 KiB that cost their reader as much as they can: by name, what each strains."""

from __future__ import annotations

import datetime as dt
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgpack

from slither_actors.wire.codec import encode
from slither_actors.wire.frames import CALL, CANCEL, HEADER_SIZE, pack_header
from slither_actors.wire.messages import Failure

SIZE: Final = 64 * 1024
_MODULUS: Final = (1 << 61) - 1  # of the hashes of numbers


def extension(code: int, data: bytes) -> bytes:
    """As short as it can be."""
    return bytes(msgpack.packb(msgpack.ExtType(code, data)))


def _array(items: list[bytes]) -> bytes:
    return b"\xdd" + struct.pack(">I", len(items)) + b"".join(items)


def _fitting(items: Iterable[bytes], size: int = SIZE - 20) -> list[bytes]:
    """As many of them as have room."""
    found = []
    for item in items:
        size -= len(item)
        if size < 0:
            break
        found.append(item)
    return found


def _many(item: bytes) -> bytes:
    return _array([item] * ((SIZE - 5) // len(item)))


def _set(members: Iterable[bytes]) -> bytes:
    return extension(65, _array(_fitting(members)))


def _entries(entries: Iterable[bytes]) -> bytes:
    some = _fitting(entries)
    return b"\xdf" + struct.pack(">I", len(some)) + b"".join(some)


def _map(keys: Iterable[bytes]) -> bytes:
    return _entries(key + b"\xc0" for key in keys)


# -- announcements


def _announcing(header: bytes, levels: int, size: int = SIZE) -> bytes:
    return (header * levels).ljust(size, b"\xc0")


def _announcing_within(levels: int, lists: int) -> bytes:
    """In each of so many extensions inside one another so many lists announce the most that they may."""
    body = b"\xc0" * (SIZE - levels * (5 * lists + 6))
    for _ in range(levels):
        body = extension(64, (b"\xdd" + struct.pack(">I", len(body))) * lists + body)
    return body


def _announcing_as_taken(levels: int) -> bytes:
    """As much as is taken without a look: 4,096 items in the first extension, 256 in those within."""
    room = (SIZE - 6 * levels) // levels // 3
    body = b""
    for _ in range(levels - 1):
        body = extension(64, b"\xdc\x01\x00" * room + body)
    return extension(64, b"\xdc\x10\x00" * min(room, 1000) + body)


def _chain(levels: int, code: int) -> bytes:
    body = extension(code, b"\x90")
    for _ in range(levels - 1):
        body = extension(code, b"\x91" + body)
    return body


# -- keys of one hash


def _tuples() -> Iterator[bytes]:
    """Pairs of integers, by going backwards through the hash of tuples from the same end."""
    prime1, prime2, prime5, mask = 11400714785074694791, 14029467366897019727, 2870177450012600261, (1 << 64) - 1
    back1, back2 = pow(prime1, -1, 1 << 64), pow(prime2, -1, 1 << 64)

    def mixed(so_far: int, run_queue: int) -> int:
        so_far = (so_far + run_queue * prime2) & mask
        return (so_far << 31 | so_far >> 33) * prime1 & mask

    end = mixed(mixed(prime5, 123), 456)
    before = (end * back1 & mask) >> 31 | (end * back1 & mask) << 33 & mask
    for first in range(1, 1 << 20):
        run_queue = (before - mixed(prime5, first)) * back2 & mask
        second = run_queue - (1 << 64) if run_queue >> 63 else run_queue
        if -_MODULUS < second < _MODULUS and second not in (-1, -2):
            yield extension(64, b"\x92" + msgpack.packb(first) + msgpack.packb(second))


def _timestamps() -> Iterator[bytes]:
    """The same with msgpack's own timestamps, whose comparison is Python."""
    prime1, prime2, prime5, mask = 11400714785074694791, 14029467366897019727, 2870177450012600261, (1 << 64) - 1
    back1, back2 = pow(prime1, -1, 1 << 64), pow(prime2, -1, 1 << 64)
    end = 1234567890123456789 * prime1 & mask
    before = (end * back1 & mask) >> 31 | (end * back1 & mask) << 33 & mask
    for nanoseconds in range(1 << 20):
        middle = (before - nanoseconds * prime2) & mask
        turned = (middle * back1 & mask) >> 31 | (middle * back1 & mask) << 33 & mask
        run_queue = (turned - prime5) * back2 & mask
        seconds = run_queue - (1 << 64) if run_queue >> 63 else run_queue
        if -_MODULUS < seconds < _MODULUS and seconds not in (-1, -2):
            yield b"\xc7\x0c\xff" + struct.pack(">Iq", nanoseconds, seconds)


def _structured_scalars() -> Iterator[bytes]:
    """Of numpy's, with two integers in each, by going backwards through numpy's own hash of them."""
    mask = (1 << 64) - 1
    end = ((0x345678 ^ 123) * 1_000_003 & mask) ^ 456
    for first in range(1, 1 << 20):
        run_queue = ((0x345678 ^ first) * 1_000_003 & mask) ^ end
        second = run_queue - (1 << 64) if run_queue >> 63 else run_queue
        if -_MODULUS < second < _MODULUS and second not in (-1, -2):
            content = struct.pack("<qq", first, second)
            yield extension(80, msgpack.packb([[["", "<i8"], ["b", "<i8"]], content]))


def _multiples() -> Iterator[int]:
    return (number * _MODULUS for number in range(8, 1 << 20))


def _slots() -> Iterator[bytes]:
    """Integers of different hashes whose ways through a dict's table run through one another."""
    size, taken = 1 << 14, 7500
    chain = [0] * taken
    for number in range(1, taken):
        chain[number] = (5 * chain[number - 1] + 1) % size
    places = {slot: number for number, slot in enumerate(chain)}
    yield from map(msgpack.packb, chain)
    chance = random.Random(1)
    while True:
        number = chance.getrandbits(30)
        slot, rest = number % size, number
        while slot in places and rest:
            rest >>= 5
            slot = (5 * slot + rest + 1) % size
        if places.get(slot, taken) < taken // 6:
            yield msgpack.packb(number)


def _within(members: Iterator[bytes], number: int) -> list[bytes]:
    return [next(members) for _ in range(number)]


# -- the rest

_ZONES: Final = (
    "Europe/Paris",
    "Asia/Tokyo",
    "Africa/Cairo",
    "Asia/Seoul",
    "Asia/Dubai",
    "Asia/Kabul",
    "Asia/Dhaka",
    "Asia/Hovd",
    "Asia/Oral",
    "Asia/Omsk",
    "Asia/Amman",
    "Asia/Qatar",
    "Africa/Lagos",
)


def _array_of(description: object, shape: list[int], data: bytes = b"") -> bytes:
    return extension(78, msgpack.packb([description, "C", shape, data]))


def _dtype_within_dtype(levels: int) -> object:
    description: object = "<i4"
    for _ in range(levels):
        description = [["a", description]]
    return description


# What announces more than there is: the cost is room made for it.
ANNOUNCING: Final[dict[str, Callable[[], bytes]]] = {
    "lists within lists": lambda: _announcing(b"\xdd\0\0\xea\x60", 1023),
    "lists within lists, in a short body": lambda: _announcing(b"\xdc\x0c\x00", 1023, 3100),
    "maps within maps": lambda: _announcing(b"\xdf\0\0\x75\x30", 1023),
    "maps within lists": lambda: _announcing(b"\xdc\xff\xff\xde\x7f\xff", 511),
    "lists within one extension": lambda: extension(64, _announcing(b"\xdd\0\0\xea\x60", 1023, SIZE - 10)),
    "lists within lists, and within an extension": lambda: (
        b"\xdd\0\0\xd0\0" * 1023 + extension(64, _announcing(b"\xdd\0\0\xa0\0", 1023, SIZE - 6 * 1024))
    ),
    "lists within 2 extensions, as large as they may be": lambda: _announcing_as_taken(2),
    "lists within 60 extensions, as large as they may be": lambda: _announcing_as_taken(60),
    "lists within 4 extensions": lambda: _announcing_within(4, 1000),
    "lists within 20 extensions": lambda: _announcing_within(20, 500),
    "lists within 60 extensions": lambda: _announcing_within(60, 200),
    "lists within lists, then a large map": lambda: b"\xdd\0\0\xa0\0" * 900 + b"\xde\x40\x00" + b"\xc0" * 40_000,
    "a list of 4 GiB": lambda: b"\xdd\xff\xff\xff\xff",
    "a map of 4 GiB": lambda: b"\xdf\xff\xff\xff\xff",
    "a text of 4 GiB": lambda: b"\xdb\xff\xff\xff\xff",
    "an extension of 4 GiB": lambda: b"\xc9\xff\xff\xff\xff\x40",
}
BODIES: Final[dict[str, Callable[[], bytes]]] = {
    **ANNOUNCING,
    # keys and members
    "a set of tuples of one hash": lambda: _set(_tuples()),
    "a map of tuples of one hash": lambda: _map(_tuples()),
    "a map of timestamps of one hash": lambda: _map(_timestamps()),
    "maps of 256 timestamps of one hash": lambda: _array([_map(_within(_timestamps(), 256))] * 14),
    "maps of 256 structured scalars of one hash": lambda: _array([_map(_within(_structured_scalars(), 256))] * 6),
    "sets of 256 tuples of one hash": lambda: _array([_set(_within(_tuples(), 256))] * 14),
    "a map of UUIDs of one hash": lambda: _map(extension(76, number.to_bytes(16, "big")) for number in _multiples()),
    "a set of UUIDs of one hash": lambda: _set(extension(76, number.to_bytes(16, "big")) for number in _multiples()),
    "a map of numbers of one hash": lambda: _map(encode(number) for number in _multiples()),
    "a set of numbers of one hash": lambda: _set(encode(number) for number in _multiples()),
    "a map of decimals of one hash": lambda: _map(extension(69, str(number).encode()) for number in _multiples()),
    "a set of complex numbers of one hash": lambda: _set(
        extension(67, struct.pack("<dd", 1e12 - 1_000_003 * number, number)) for number in range(1 << 13)
    ),
    "a map of integers in each other's slots": lambda: _map(_slots()),
    "a map of integers": lambda: _map(encode(number) for number in range(1 << 15)),
    "a map of texts": lambda: _map(encode(f"{number:x}") for number in range(1 << 15)),
    "a set of integers": lambda: _set(encode(number) for number in range(1 << 15)),
    "a large map behind much else": lambda: _array(
        [extension(77, b"\1a")] * 13_000 + [_map(encode(n) for n in range(300))]
    ),
    "a large map of tuples behind much else": lambda: _array(
        [extension(77, b"\1a")] * 12_000 + [_map(encode((n,)) for n in range(2000))]
    ),
    "a key in large": lambda: b"\x81" + extension(68, b"\xfe" * 65_000) + b"\xc0",
    "a decimal key in large": lambda: b"\x81" + extension(69, b"9" * 65_000) + b"\xc0",
    "a decimal key of a large exponent": lambda: b"\x81" + extension(69, b"1e999999999999999999") + b"\xc0",
    "a set of datetimes": lambda: _set(encode(dt.datetime.fromtimestamp(number, dt.UTC)) for number in range(1 << 12)),
    # many small values
    "nothing": lambda: _many(b"\xc0"),
    "empty texts": lambda: _many(b"\xa0"),
    "empty lists": lambda: _many(b"\x90"),
    "empty maps": lambda: _many(b"\x80"),
    "maps of one": lambda: _many(b"\x81\x01\x01"),
    "empty tuples": lambda: _many(extension(64, b"\x90")),
    "empty sets": lambda: _many(extension(65, b"\x90")),
    "tuples within 64": lambda: _many(_chain(64, 64)),
    "tuples within 8": lambda: _many(_chain(8, 64)),
    "frozensets within 64": lambda: _many(_chain(64, 66)),
    "paths": lambda: _many(extension(77, b"\1a")),
    "Windows paths": lambda: _many(extension(77, b"\2a")),
    "UUIDs": lambda: _many(extension(76, bytes(16))),
    "decimals": lambda: _many(extension(69, b"1")),
    "dates": lambda: _many(encode(dt.date.min)),
    "moments": lambda: _many(encode(dt.datetime(1, 1, 1, tzinfo=dt.UTC))),
    "zones": lambda: _many(extension(75, b"UTC")),
    "timezones": lambda: _many(encode(dt.timezone(dt.timedelta(hours=1)))),
    # None of them is held: each takes the place of the one before it, under one key.
    "zones that take turns": lambda: _array(
        _fitting([_entries(b"\xc0" + extension(75, name.encode()) for name in _ZONES * 19)] * 99)
    ),
    "users' extensions": lambda: _many(extension(1, b"a")),
    "timestamps": lambda: _many(b"\xd6\xff\0\0\0\1"),
    "arrays": lambda: _many(_array_of("b", [0])),
    "arrays of fields": lambda: _many(_array_of([["", "b"]], [0])),
    "arrays of fields within fields": lambda: _many(_array_of(_dtype_within_dtype(3), [0])),
    "scalars": lambda: _many(extension(80, msgpack.packb(["b", b"\0"]))),
    "arrays of lists of types": lambda: _many(_array_of("2i1,2i1", [0])),
    # single large values
    "a number": lambda: extension(68, b"\xff" * 65_000),
    "digits": lambda: extension(69, b"9" * 65_000),
    "an exponent": lambda: extension(69, b"1e" + b"9" * 65_000),
    "a zone": lambda: extension(75, b"a/" * 32_000),
    "a zone above": lambda: extension(75, b"../" * 21_000),
    "a path": lambda: extension(77, b"\1" + b"/a" * 32_000),
    "a path that goes up": lambda: extension(77, b"\1" + b"../" * 21_000),
    "text": lambda: encode("\u20ac" * 21_000),
    "broken text": lambda: b"\xdb" + struct.pack(">I", 65_000) + b"a" * 64_999 + b"\xff",
    "dimensions": lambda: _array_of("|i1", [2**63] * 7_000),
    "dimensions of none": lambda: _array_of("|i1", [0] + [2**63] * 7_000),
    "dimensions of nothing": lambda: _array_of("|i1", [0, 2**62]),
    "items of 2 GB": lambda: _array_of("|V2000000000", [0]),
    "a list of types": lambda: _array_of("i4," * 21_000, [0]),
    "brackets": lambda: _array_of("(" * 65_000, [0]),
    "a shape in a type": lambda: _array_of("(100000000,100000)i4", [0]),
    "digits in a type": lambda: _array_of("V" + "9" * 60_000, [0]),
    "fields": lambda: _array_of([[str(number), "b"] for number in range(7_000)], [0]),
    "fields of a shape": lambda: _array_of([[str(number), "b", [2**20]] for number in range(4_000)], [0]),
    "fields within fields": lambda: _array_of(_dtype_within_dtype(400), [0]),
    "levels": lambda: b"\x91" * 65_000,
    "levels of extensions": lambda: _chain(70, 64),
}

_FAILURE: Final = Failure("user", "A", "b")._map()

# What comes first is for `targets.messages`: which message it is, and the numbers of items of a reply.
MESSAGES: Final[dict[str, Callable[[], bytes]]] = {
    "commands": lambda: b"\1" + encode({"pid": 1, "python": "", "msgpack": "", "commands": ["a"] * 30_000}),
    "keys": lambda: b"\3" + _map(encode(f"{number:x}") for number in range(1 << 14)),
    "failures": lambda: b"\5\0\xff" + struct.pack("<255I", *range(255)) + encode([_FAILURE] * 255),
    "failures of one hash": lambda: b"\5\0\1\0\0\0\0" + _map(_timestamps()),
    "a side of one hash": lambda: b"\4" + _map(_timestamps()),
    "results": lambda: b"\6\xff" + encode([None] * 255),
}

# For the parser of frames, and into how large pieces they come.
STREAMS: Final[dict[str, tuple[bytes, int]]] = {
    "small frames": ((pack_header(CANCEL, 1) * 1500)[:SIZE], SIZE),
    "small frames, byte by byte": ((pack_header(CANCEL, 1) * 1500)[:SIZE], 1),
    "a body, byte by byte": (pack_header(CALL, 1, body_len=SIZE).ljust(SIZE, b"\0"), 1),
    "16 MiB announced": (pack_header(CALL, 1, body_len=16 << 20).ljust(SIZE, b"\0"), 4096),
    "1 GiB announced": (pack_header(CALL, 1, body_len=(1 << 30) - HEADER_SIZE).ljust(SIZE, b"\0"), 4096),
    "1 GiB announced, byte by byte": (pack_header(CALL, 1, body_len=(1 << 30) - HEADER_SIZE).ljust(SIZE, b"\0"), 1),
    "buffers of a byte": (
        (pack_header(CALL, 1, side_len=1, body_len=1, buffers_len=1) + b"abc") * (SIZE // (HEADER_SIZE + 3)),
        SIZE,
    ),
    "noise": (b"\0" * SIZE, 1),
}
